import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createBareServer } from '../support/bare-server.js';
import { request2026 } from '../support/raw-mcp.js';

const LARGE = 'x'.repeat(1024 * 1024);

/** What `large` does before it returns. */
let whileMaking: () => void = () => undefined;

const sessions = createBareServer(
  (server) => {
    server.registerTool('small', {}, () => ({ content: [{ type: 'text', text: 'small' }] }));
    const rows = z.array(z.array(z.number()));
    server.registerTool('table', { inputSchema: z.object({ rows }) }, () => ({ content: [] }));
    server.registerTool('large', {}, () => {
      whileMaking();
      return { content: [{ type: 'text', text: LARGE }] };
    });
  },
  { publicUrl: undefined, access: 'open-to-network', trustedProxies: ['127.0.0.1'] },
);
afterAll(() => sessions.close());
afterEach(() => void vi.restoreAllMocks());

/** A call of a client of an address, as text. */
function callOf(tool: string, url: string, address: string, args: object = {}): string {
  const { headers, body = '' } = request2026('tools/call', { name: tool, arguments: args });
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

/** The names of sockets, in the order in which their answers arrive. */
async function answersOf(sockets: Readonly<Record<string, Socket>>): Promise<string[]> {
  const received: string[] = [];
  const answered = ([name, socket]: [string, Socket]) =>
    new Promise<void>((resolve) => {
      let text = '';
      socket.on('data', (data) => {
        if (text === '') received.push(name);
        text += data;
        if (text.includes('"id":')) resolve();
      });
    });
  await Promise.all(Object.entries(sockets).map(answered));
  for (const socket of Object.values(sockets)) socket.destroy();
  return received;
}

it('a large answer is sent after what other clients requested while it was made [security 40]', async () => {
  const { url } = await sessions.listen({ port: 0 });
  const [large, small] = [await open(url), await open(url)];
  whileMaking = () => small.write(callOf('small', url, '203.0.113.7'));
  const answers = answersOf({ large, small });
  large.write(callOf('large', url, '203.0.113.66'));
  expect(await answers).toEqual(['small', 'large']);
});

it('a large request is served after what other clients requested while it was parsed [security 40]', async () => {
  const { url } = await sessions.listen({ port: 0 });
  const [large, small] = [await open(url), await open(url)];
  const rows = Array.from({ length: 5000 }, () => [0, 0]);
  const { parse } = JSON;
  let isParsed = false;
  vi.spyOn(JSON, 'parse').mockImplementation((text: string) => {
    if (!isParsed && text.length > 2 * rows.length) {
      isParsed = true;
      small.write(callOf('small', url, '203.0.113.7'));
    }
    return parse(text);
  });
  const answers = answersOf({ large, small });
  large.write(callOf('table', url, '203.0.113.66', { rows }));
  expect(await answers).toEqual(['small', 'large']);
  expect(isParsed).toBe(true);
});
