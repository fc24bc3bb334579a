import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createSessions } from 'mcp-sessions';
import { notes, port } from '../notes.js';

const sessions = createSessions(notes);

@Controller()
class NotesController {
  @Get()
  index(): string {
    return 'Notes of all users';
  }
}

@Module({ controllers: [NotesController] })
class NotesModule {}

const app = await NestFactory.create(NotesModule);

// Serves /mcp and the pages of a login. The app serves all other paths.
app.use(sessions.middleware);
await app.listen(port, '127.0.0.1');

process.once('SIGTERM', async () => {
  // Signs every user out, and closes the streams that would keep the server running.
  await sessions.close();
  await app.close();
});
