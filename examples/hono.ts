import { type HttpBindings, serve } from '@hono/node-server';
import { Hono } from 'hono';
import { createSessions } from 'mcp-sessions';
import { notes, port } from './notes.js';

const sessions = createSessions(notes);
const app = new Hono<{ Bindings: HttpBindings }>();

app.get('/', (c) => c.text('Notes of all users'));

// Serves /mcp and the pages of a login. `c.env` shows whether a login comes from this machine.
app.all('*', (c) => sessions.handleRequest(c.req.raw, c.env));

const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () =>
  console.log(`MCP endpoint: ${notes.publicUrl}/mcp`),
);

process.once('SIGTERM', async () => {
  // Signs every user out, and closes the streams that would keep the server running.
  await sessions.close();
  server.close();
});
