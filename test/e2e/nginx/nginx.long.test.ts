import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessions, type Sessions } from '../../../packages/sessions/src/index.js';
import { FaultingProvider } from '../../../packages/sessions/src/testing/index.js';
import { isInstalled } from '../../support/installed-program.js';
import { Journal } from '../../support/journal.js';
import { createLatch, type Latch } from '../../support/latch.js';
import { call2025, JSON_HEADERS, type RawRequest, request2026 } from '../../support/raw-mcp.js';
import { NGINX, type Nginx, startNginx } from './nginx.js';

/** At once when the answer begins after five seconds, then every 15: the last one comes after 65. */
const COMMENTS_PAST_TIMEOUT = 5;

let sessions: Sessions;
let nginx: Nginx;
let host: string;
let released: Latch;

describe.skipIf(!isInstalled(NGINX))('behind nginx with the configuration of Debian', () => {
  beforeAll(async () => {
    released = createLatch();
    const provider = new FaultingProvider();
    sessions = createSessions({
      server: { name: 'test', version: '1.0.0' },
      providers: provider.options,
      access: 'open-to-network',
      lifetimes: { shutdownDrainMs: 0 },
      runtime: { fetch: provider.fetch },
      tools: (server) => {
        server.registerTool('hold', { description: 'Says nothing until it is released.' }, async () => {
          await released.opened;
          return { content: [{ type: 'text', text: 'released' }] };
        });
      },
    });
    const { url } = await sessions.listen({ port: 0 });
    ({ host } = new URL(url));
    nginx = await startNginx(new URL(url).port);
  });

  afterAll(async () => {
    released.open();
    await nginx.stop();
    await sessions.close();
  });

  /** Sends a request through nginx, and resolves as soon as the answer begins. */
  function open({ headers = {}, body = '' }: RawRequest): Promise<IncomingMessage> {
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    const options = { path: '/mcp', method: 'POST', headers: { host, ...length, ...headers } };
    return new Promise((resolve, reject) => {
      httpRequest({ ...options, socketPath: nginx.socketPath })
        .once('response', resolve)
        .once('error', reject)
        .end(body);
    });
  }

  /** What an answer carries, while it comes. */
  function linesOf(answer: IncomingMessage): Journal<string> {
    const lines = new Journal<string>();
    answer.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n')) if (line) lines.add(line);
    });
    return lines;
  }

  async function session2025(): Promise<Record<string, string>> {
    const clientInfo = { name: 'raw', version: '1' };
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    const answer = await open({ headers: JSON_HEADERS, body });
    answer.resume();
    return { 'mcp-session-id': String(answer.headers['mcp-session-id']) };
  }

  it('silent calls of both eras outlast the proxy timeout', async () => {
    const headers = { ...JSON_HEADERS, ...(await session2025()) };
    const [old, modern] = await Promise.all([
      open({ headers, body: call2025('hold') }),
      open(request2026('tools/call', { name: 'hold', arguments: {} })),
    ]);
    expect([old.statusCode, modern.statusCode]).toEqual([200, 200]);
    const answers = [linesOf(old), linesOf(modern)] as const;
    await answers[1].until('a comment after more than 60 seconds', (lines) => {
      return lines.filter((line) => line === ': keepalive').length >= COMMENTS_PAST_TIMEOUT || undefined;
    });
    released.open();
    for (const lines of answers) {
      const answer = await lines.first('the answer', (line) => line.includes('released'));
      expect(JSON.parse(answer.replace(/^data: /, ''))).toMatchObject({ id: 7 });
    }
  });
});
