import express from 'express';
import { createSessions } from 'mcp-sessions';
import { notes, port } from './notes.js';

const sessions = createSessions(notes);
const app = express();

// Serves /mcp and the pages of a login. The app serves all other paths.
app.use(sessions.middleware);

app.get('/', (_request, response) => {
  response.send('Notes of all users');
});

const server = app.listen(port, '127.0.0.1', () => console.log(`MCP endpoint: ${notes.publicUrl}/mcp`));

process.once('SIGTERM', async () => {
  // Signs every user out, and closes the streams that would keep the server running.
  await sessions.close();
  server.close();
});
