import type { SessionsOptions } from 'mcp-sessions';

const { env } = process;
const api = env.NOTES_API ?? 'https://notes.example.com';

export const port = Number(env.PORT ?? 3000);

/** The options of the examples: a notes API, which each user calls with their own login. */
export const notes: SessionsOptions = {
  server: { name: 'notes', version: '1.0.0' },
  providers: {
    issuer: env.MCP_SESSIONS_ISSUER ?? 'https://id.example.com',
    clientId: env.MCP_SESSIONS_CLIENT_ID ?? 'notes',
    clientSecret: env.MCP_SESSIONS_CLIENT_SECRET,
    scopes: env.MCP_SESSIONS_SCOPES?.split(' ') ?? ['openid', 'offline_access'],
    authorizationParams: JSON.parse(env.MCP_SESSIONS_AUTHORIZATION_PARAMS ?? '{}'),
    apiOrigins: [api],
  },
  publicUrl: `http://127.0.0.1:${port}`,
  tools: (server, context) => {
    server.registerTool('whoami', { description: 'Returns the logged-in user' }, async () => {
      const response = await context.session().fetch(`${api}/me`);
      return { content: [{ type: 'text', text: await response.text() }] };
    });
  },
};
