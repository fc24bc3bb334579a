import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { anthropic } from './anthropic.js';
import type { Conversation } from './conversation.js';
import type { Dialect } from './dialect.js';
import { gemini } from './gemini.js';
import { openaiChat } from './openai-chat.js';
import { openaiResponses } from './openai-responses.js';

const DIALECTS: readonly Dialect[] = [anthropic, openaiResponses, openaiChat, gemini];

/** A scripted model at a loopback address, in every dialect. */
export interface ModelServer {
  readonly origin: string;
  /** Requests that no dialect answers: they show what a new host needs. */
  readonly strays: readonly string[];
  close(): Promise<void>;
}

/** Serves the answers of the model in a conversation. */
export async function startModelServer(conversation: Conversation): Promise<ModelServer> {
  const strays: string[] = [];
  const server = createServer((request, response) => {
    void answer(conversation, request, response).then((isAnswered) => {
      if (!isAnswered) strays.push(`${request.method} ${request.url}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { origin: originOf(server), strays, close: () => close(server) };
}

async function answer(
  conversation: Conversation,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const path = new URL(request.url ?? '/', 'http://model').pathname;
  const body = await text(request);
  const dialect = request.method === 'POST' && DIALECTS.find((each) => each.matches(path));
  if (!dialect) {
    // Lists of models, counts of tokens, telemetry: hosts work without them.
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"error":{"type":"not_found_error","message":"not here"}}');
    return false;
  }
  const closed = new AbortController();
  response.on('close', () => closed.abort());
  const asked = dialect.read(JSON.parse(body), path);
  const reply = await conversation.take(asked, closed.signal);
  response.writeHead(200, { 'content-type': asked.isStreaming ? 'text/event-stream' : 'application/json' });
  response.end(dialect.write(reply, asked.isStreaming));
  return true;
}

function originOf(server: Server): string {
  // A server that listens on a port has such an address.
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
