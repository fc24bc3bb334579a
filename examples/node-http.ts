import { createServer } from 'node:http';
import { createSessions, nodeServerOptions } from 'mcp-sessions';
import { notes, port } from './notes.js';

const sessions = createSessions(notes);

// The options close the connections of slow clients.
const server = createServer(nodeServerOptions, (request, response) => {
  // Serves /mcp and the pages of a login. The app serves all other paths.
  sessions.middleware(request, response, () => {
    if (request.url === '/') response.end('Notes of all users');
    else response.writeHead(404).end('Not found.');
  });
});

server.listen(port, '127.0.0.1', () => console.log(`MCP endpoint: ${notes.publicUrl}/mcp`));

process.once('SIGTERM', async () => {
  // Signs every user out, and closes the streams that would keep the server running.
  await sessions.close();
  server.close();
});
