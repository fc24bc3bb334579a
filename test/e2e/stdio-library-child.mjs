// A server of an author over stdio. It does not call `process.exit`: the process ends when `serveStdio` is done.
import { createSessions } from 'mcp-sessions';
import registerNotesTools from '../support/notes-tools.mjs';

const env = process.env;
const sessions = createSessions({
  server: { name: 'author', version: '1.0.0' },
  providers: {
    issuer: env.MCP_SESSIONS_ISSUER,
    clientId: env.MCP_SESSIONS_CLIENT_ID,
    clientSecret: env.MCP_SESSIONS_CLIENT_SECRET,
    scopes: env.MCP_SESSIONS_SCOPES.split(' '),
    authorizationParams: JSON.parse(env.MCP_SESSIONS_AUTHORIZATION_PARAMS),
    apiOrigins: [env.MCP_SESSIONS_API_ORIGINS],
  },
  tools: registerNotesTools,
});
const refused = (promise) =>
  promise.then(
    () => 'served',
    ({ code }) => code,
  );
const serving = sessions.serveStdio({ openBrowser: false });
console.error(`again: ${await refused(sessions.serveStdio())}`);
console.error(`listen: ${await refused(sessions.listen({ port: 0 }))}`);
console.error(`fetch: ${await refused(sessions.handleRequest(new Request('http://127.0.0.1/mcp')))}`);
await serving;
console.error('over');
