import express from 'express';
import { createSessions } from 'mcp-sessions';
import { notes, port } from './notes.js';

const sessions = createSessions(notes);
const app = express();

// Serves /mcp and the pages of a login; the rest is the app's own.
app.use(sessions.middleware);

app.get('/', (_request, response) => {
  response.send('Notes of everybody');
});

const server = app.listen(port, '127.0.0.1', () => console.log(`MCP endpoint: ${notes.publicUrl}/mcp`));

process.once('SIGTERM', async () => {
  // Logs every user out, and ends the streams that would keep the server open.
  await sessions.close();
  server.close();
});
