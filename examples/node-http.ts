import { createServer } from 'node:http';
import { createSessions, nodeServerOptions } from 'mcp-sessions';
import { notes, port } from './notes.js';

const sessions = createSessions(notes);

// Slow clients are cut off in time.
const server = createServer(nodeServerOptions, (request, response) => {
  // Serves /mcp and the pages of a login; the rest is the app's own.
  sessions.middleware(request, response, () => {
    if (request.url === '/') response.end('Notes of everybody');
    else response.writeHead(404).end('There is no such page.');
  });
});

server.listen(port, '127.0.0.1', () => console.log(`MCP endpoint: ${notes.publicUrl}/mcp`));

process.once('SIGTERM', async () => {
  // Logs every user out, and ends the streams that would keep the server open.
  await sessions.close();
  server.close();
});
