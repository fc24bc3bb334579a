import { createSessions, type Sessions, type SessionsOptions } from 'mcp-sessions';

const { env } = process;
const api = env.NOTES_API ?? 'https://notes.example.com';

const options: SessionsOptions = {
  server: { name: 'notes', version: '1.0.0' },
  providers: {
    issuer: env.MCP_SESSIONS_ISSUER ?? 'https://id.example.com',
    clientId: env.MCP_SESSIONS_CLIENT_ID ?? 'notes',
    clientSecret: env.MCP_SESSIONS_CLIENT_SECRET,
    scopes: env.MCP_SESSIONS_SCOPES?.split(' ') ?? ['openid', 'offline_access'],
    authorizationParams: JSON.parse(env.MCP_SESSIONS_AUTHORIZATION_PARAMS ?? '{}'),
    apiOrigins: [api],
  },
  publicUrl: env.PUBLIC_URL ?? 'http://127.0.0.1:3000',
  // Next.js adds forwarding headers to every request, so no client counts as a client of this machine.
  access: 'open-to-network',
  tools: (server, context) => {
    server.registerTool('whoami', { description: 'Returns the logged-in user' }, async () => {
      const response = await context.session().fetch(`${api}/me`);
      return { content: [{ type: 'text', text: await response.text() }] };
    });
  },
};

// Next.js loads a module again for each bundle, and in development after each change. The sessions have to be kept.
const kept = globalThis as typeof globalThis & { notesSessions?: Sessions };

export function notesSessions(): Sessions {
  kept.notesSessions ??= createSessions(options);
  return kept.notesSessions;
}
