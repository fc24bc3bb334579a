import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, expect, it } from 'vitest';
import { createBareServer } from '../support/bare-server.js';
import { request2026 } from '../support/raw-mcp.js';

const LARGE = 'x'.repeat(1024 * 1024);

/** What `large` does before it returns. */
let whileMaking: () => void = () => undefined;

const sessions = createBareServer(
  (server) => {
    server.registerTool('small', {}, () => ({ content: [{ type: 'text', text: 'small' }] }));
    server.registerTool('large', {}, () => {
      whileMaking();
      return { content: [{ type: 'text', text: LARGE }] };
    });
  },
  { publicUrl: undefined, access: 'open-to-network', trustedProxies: ['127.0.0.1'] },
);
afterAll(() => sessions.close());

/** A call of a client of an address, as text. */
function callOf(tool: string, url: string, address: string): string {
  const { headers, body = '' } = request2026('tools/call', { name: tool, arguments: {} });
  const lines = Object.entries({
    host: new URL(url).host,
    ...(headers as Record<string, string>),
    'x-forwarded-for': address,
    'content-length': body.length,
  });
  return `POST /mcp HTTP/1.1\r\n${lines.map((line) => line.join(': ')).join('\r\n')}\r\n\r\n${body}`;
}

async function open(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

it('a large answer is sent after what other clients requested while it was made [security 40]', async () => {
  const { url } = await sessions.listen({ port: 0 });
  const [greedy, other] = [await open(url), await open(url)];
  whileMaking = () => other.write(callOf('small', url, '203.0.113.7'));
  const received: string[] = [];
  const answered = (socket: Socket, name: string) =>
    new Promise<void>((resolve) => {
      let text = '';
      socket.on('data', (data) => {
        if (text === '') received.push(name);
        text += data;
        if (text.includes('"id":')) resolve();
      });
    });
  const answers = [answered(greedy, 'large'), answered(other, 'small')];
  greedy.write(callOf('large', url, '203.0.113.66'));
  await Promise.all(answers);
  expect(received).toEqual(['small', 'large']);
  greedy.destroy();
  other.destroy();
});
