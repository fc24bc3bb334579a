// A server over stdio whose tools show the user of the session, and hold a call until its user is signed out.
import { createSessions } from 'mcp-sessions';

const env = process.env;
const text = (value) => ({ content: [{ type: 'text', text: JSON.stringify(value) }] });
const sessions = createSessions({
  server: { name: 'two users', version: '1.0.0' },
  providers: {
    issuer: env.MCP_SESSIONS_ISSUER,
    clientId: env.MCP_SESSIONS_CLIENT_ID,
    clientSecret: env.MCP_SESSIONS_CLIENT_SECRET,
    scopes: env.MCP_SESSIONS_SCOPES.split(' '),
    authorizationParams: JSON.parse(env.MCP_SESSIONS_AUTHORIZATION_PARAMS),
  },
  tools: (server, context) => {
    server.registerTool('who', {}, async () => {
      const session = context.session();
      return text({ id: session.id, user: (await session.account())?.subject });
    });
    server.registerTool(
      'more',
      {},
      context.requireLogin(async () => text('ran'), { scopes: ['email'] }),
    );
    server.registerTool(
      'hold',
      {},
      context.requireLogin(async ({ mcpReq: { signal } }) => {
        const session = context.session();
        console.error('holding');
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        const token = await session.withAccessToken(async () => 'used').catch(({ code }) => code);
        console.error(`held: ${signal.reason.code} ${token}`);
        return text('done');
      }),
    );
  },
});
await sessions.serveStdio({ openBrowser: false });
