/**
 * A bare `node:http` server instead of the library: it answers calls without a protocol, and refuses large bodies
 * without reading them. What it measures is the least that an attack costs other clients.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { answerParent } from '../../test/support/answer-parent.js';

const LARGE = 'x'.repeat(1024 * 1024);
const MOST_BYTES = 64 * 1024;
const MOST_HEADER_BYTES = 8192;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { 'content-length': length = 0, 'x-forwarded-prefix': prefix = '' } = request.headers;
  if (Number(length) > MOST_BYTES || prefix.length > MOST_HEADER_BYTES) {
    response.writeHead(400, { connection: 'close' }).end('{}');
    return;
  }
  const message = JSON.parse(await text(request));
  const isLarge = message.params?.name === 'large';
  const result = { content: [{ type: 'text', text: isLarge ? LARGE : '1' }] };
  response
    .writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'floor' })
    .end(JSON.stringify({ jsonrpc: '2.0', id: message.id ?? null, result }));
}

answerParent({
  async start(): Promise<string> {
    const server = createServer((request, response) => {
      answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  },
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return Promise.resolve((user + system) / 1000);
  },
  rssBytes: () => Promise.resolve(process.memoryUsage.rss()),
});
