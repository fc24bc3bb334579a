import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { createSessions } from '../../server/create-sessions.js';
import type { SessionsOptions } from '../../server/options.js';
import type { Sessions } from '../../server/sessions.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const JSON_TYPE = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
/** A complete request, to which the protocol layer answers 400. */
const REQUEST = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
const RECEIVED = /"Bad Request|initialize/;

const closings: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

async function start(options: Partial<SessionsOptions> = {}): Promise<{ sessions: Sessions; url: string }> {
  const sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    providers: { issuer: 'http://127.0.0.1:9', clientId: 'test', scopes: ['openid'] },
    access: 'open-to-network',
    trustedProxies: ['127.0.0.1'],
    lifetimes: { shutdownDrainMs: 0 },
    tools: () => {},
    ...options,
  });
  closings.push(() => sessions.close());
  const { url } = await sessions.listen({ port: 0 });
  return { sessions, url };
}

/** A request of an address, as text up to its body. */
const headOf = (url: string, address: string, framing: string) =>
  [
    'POST /mcp HTTP/1.1',
    `Host: ${new URL(url).host}`,
    `X-Forwarded-For: ${address}`,
    'Content-Type: application/json',
    framing,
    '',
    '',
  ].join('\r\n');

/** A connection for one request. */
function open(url: string): { socket: Socket; answered: Promise<string> } {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  closings.push(() => socket.destroy());
  let answer = '';
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    answer += data;
  });
  const answered = new Promise<void>((resolve) => socket.once('close', () => resolve())).then(() => answer);
  return { socket, answered };
}

/** Sends a body in chunks. */
function sendIn(url: string, chunks: readonly string[]): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: 'POST', headers: JSON_TYPE, agent: false }, (response) =>
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, text: body }), reject),
    );
    request.on('error', reject);
    for (const chunk of chunks) request.write(chunk);
    request.end();
  });
}

/** A number of bytes of JSON, in chunks of one size. */
function chunksOf(bytes: number, size: number): string[] {
  const body = REQUEST.padEnd(bytes);
  return Array.from({ length: Math.ceil(bytes / size) }, (_, index) =>
    body.slice(index * size, (index + 1) * size),
  );
}

describe('a body that cannot become a valid request', () => {
  const keys = Array.from({ length: 30_000 }, (_, index) => `"${index.toString(36)}":0`).join();

  it.each([
    ['because it has too many elements', `{${keys}`, 'too many array elements'],
    ['because it is nested too deep', '['.repeat(40), 'nested deeper'],
    ['because it is no JSON', '<html>', 'not JSON'],
    [
      'because its URI is too long',
      `{"params":{"uri":"${'x'.repeat(70_000)}`,
      'a string of more than 64 KiB',
    ],
  ])('is refused before it is complete, %s [security 40]', async (_, beginning, reason) => {
    const { url } = await start();
    const { socket, answered } = open(url);
    socket.write(headOf(url, '203.0.113.1', `Content-Length: ${MIB}`) + beginning);
    // The rest is never sent.
    expect(await answered).toMatch(new RegExp(`^HTTP/1.1 400 .*${reason}`, 's'));
  });
});

describe('a body in many chunks', () => {
  it('of one byte each is refused, and its connection is closed [security 40]', async () => {
    const { url } = await start();
    const { socket, answered } = open(url);
    socket.write(headOf(url, '203.0.113.1', 'Transfer-Encoding: chunked'));
    socket.write('1\r\n \r\n'.repeat(MIB - 1));
    expect(await answered).toMatch(/^HTTP\/1.1 400 .*too many small chunks/s);
  });

  it('is refused while the access token is still being verified [security 40]', async () => {
    const issuer = 'https://auth.test';
    const asked: string[] = [];
    const { url } = await start({
      access: { issuer, introspection: { clientId: 'test', clientSecret: 'a-secret-that-is-long-enough' } },
      runtime: {
        fetch: async (input) => {
          asked.push(String(input));
          if (!String(input).includes('.well-known')) return new Promise(() => {});
          return Response.json({ issuer, introspection_endpoint: `${issuer}/introspect` });
        },
      },
    });
    const { socket, answered } = open(url);
    socket.write(headOf(url, '203.0.113.1', 'Authorization: Bearer a-token\r\nTransfer-Encoding: chunked'));
    await expect.poll(() => asked).toContain(`${issuer}/introspect`);
    socket.write('1\r\n \r\n'.repeat(10_000));
    expect(await answered).toMatch(/^HTTP\/1.1 400 .*too many small chunks/s);
  });

  it('closes its connection on routes that do not read it, too [security 40]', async () => {
    const { url } = await start();
    for (const [line, status] of [
      ['GET /healthz', 200],
      ['POST /nothing', 404],
    ] as const) {
      const { socket, answered } = open(url);
      socket.write(headOf(url, '203.0.113.1', 'Transfer-Encoding: chunked').replace('POST /mcp', line));
      const sending = setInterval(() => socket.write('1\r\n \r\n'.repeat(10_000)), 10);
      closings.push(() => clearInterval(sending));
      expect(await answered).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
  });

  it.each([
    ['a KiB', MIB, KIB],
    ['sixteen bytes', 64 * KIB, 16],
    ['a byte', 4000, 1],
  ])('of %s each is received', async (_size, bytes, size) => {
    const { url } = await start();
    const { status, text } = await sendIn(url, chunksOf(bytes, size));
    expect(text).toMatch(RECEIVED);
    expect(status).toBe(400);
  });

  it('is refused in the same way without Node’s HTTP server [security 40]', async () => {
    const { sessions, url } = await start();
    const post = (chunks: readonly string[]) => {
      const encoded = chunks.map((chunk) => new TextEncoder().encode(chunk));
      const body = new ReadableStream({
        pull: (controller) => {
          const chunk = encoded.shift();
          if (chunk) controller.enqueue(chunk);
          else controller.close();
        },
      });
      const init = { method: 'POST', headers: JSON_TYPE, body, duplex: 'half' } as const;
      return sessions.handleRequest(new Request(url, init)).then((response) => response.text());
    };
    expect(await post(chunksOf(10_000, 1))).toMatch(/too many small chunks/);
    expect(await post(chunksOf(MIB, KIB))).toMatch(RECEIVED);
    expect(await post(chunksOf(MIB + 1, KIB))).toMatch(/larger than 1 MiB/);
  });
});

describe('incomplete bodies of one address', () => {
  it('are answered 503, the oldest first, and bodies of other addresses are received [security 41]', async () => {
    const { url } = await start();
    const bytes = Buffer.alloc(MIB - 1, ' ');
    const answers: string[] = [];
    for (let count = 0; count < 80; count++) {
      const { socket, answered } = open(url);
      void answered.then((answer) => answers.push(answer));
      socket.write(headOf(url, '203.0.113.1', `Content-Length: ${MIB}`));
      await new Promise((resolve) => socket.write(bytes, resolve));
    }
    const large = open(url);
    large.socket.write(headOf(url, '203.0.113.2', `Connection: close\r\nContent-Length: ${MIB}`));
    large.socket.write(REQUEST.padEnd(MIB - 1));
    await expect.poll(() => answers.length).toBeGreaterThanOrEqual(16);
    const { text } = await sendIn(url, [REQUEST]);
    expect(text).toMatch(RECEIVED);
    large.socket.write(' ');
    expect(await large.answered).toMatch(RECEIVED);
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 503 .*retry-after: 1\r\n/is);
  });
});
