/**
 * The least that any server on node:http does for a call: it reads and parses the JSON of a request, and answers with
 * the JSON that the other servers answer with. It validates nothing and knows no sessions. A GET gets a stream that
 * stays open.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from './serve.js';

interface Call {
  readonly id: number;
  readonly params: { readonly arguments: { readonly text: string } };
}

serve(async () => {
  const server = createServer((request, response) => {
    if (request.method === 'GET')
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    else read(request, (body) => answer(request, response, body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server that listens has an AddressInfo.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
});

function read(request: IncomingMessage, done: (body: string) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => done(Buffer.concat(chunks).toString()));
}

function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
  // Only the benchmark sends requests.
  const { id, params } = JSON.parse(body) as Call;
  const content = [{ type: 'text', text: params.arguments.text }];
  const result =
    request.headers['mcp-protocol-version'] === '2026-07-28'
      ? { resultType: 'complete', content }
      : { content };
  const text = JSON.stringify({ jsonrpc: '2.0', id, result });
  response
    .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text);
}
