import { createSessions } from 'mcp-sessions';

const sessions = createSessions({
  server: { name: 'calendar', version: '1.0.0' },
  providers: {
    issuer: 'https://id.example.com',
    clientId: 'calendar',
    scopes: ['openid', 'offline_access'],
    apiOrigins: ['https://api.example.com'],
  },
  tools: (server, context) => {
    server.registerTool('next_event', { description: 'The next event of the user' }, async () => {
      const response = await context.session().fetch('https://api.example.com/events/next');
      return { content: [{ type: 'text', text: await response.text() }] };
    });
  },
});
// Resolves when the client has disconnected and its tokens are revoked. Stdout carries the protocol: log with console.error.
await sessions.serveStdio();
