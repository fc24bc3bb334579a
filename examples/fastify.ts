import { fastify } from 'fastify';
import { createSessions } from 'mcp-sessions';
import { notes, port } from './notes.js';

const sessions = createSessions(notes);
const app = fastify();

// Serves /mcp and the pages of a login. The app serves all other paths. This hook runs before a body is parsed.
app.addHook('onRequest', ({ raw: request }, { raw: response }, next) =>
  sessions.middleware(request, response, next),
);

app.get('/', async () => 'Notes of all users');

await app.listen({ port, host: '127.0.0.1' });
console.log(`MCP endpoint: ${notes.publicUrl}/mcp`);

process.once('SIGTERM', async () => {
  // Signs every user out, and closes the streams that would keep the server running.
  await sessions.close();
  await app.close();
});
