import { fastify } from 'fastify';
import { createSessions } from 'mcp-sessions';
import { notes, port } from './notes.js';

const sessions = createSessions(notes);
const app = fastify();

// Serves /mcp and the pages of a login; the rest is the app's own. This hook runs before bodies are parsed.
app.addHook('onRequest', ({ raw: request }, { raw: response }, next) =>
  sessions.middleware(request, response, next),
);

app.get('/', async () => 'Notes of everybody');

await app.listen({ port, host: '127.0.0.1' });
console.log(`MCP endpoint: ${notes.publicUrl}/mcp`);

process.once('SIGTERM', async () => {
  // Logs every user out, and ends the streams that would keep the server open.
  await sessions.close();
  await app.close();
});
