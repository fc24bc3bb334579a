import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { createBareServer } from '../support/bare-server.js';
import { request2026 } from '../support/raw-mcp.js';

/** A character counts as two bytes. 32 bodies of this size fit into 64 MiB. */
const MOST = 32;
const OF_GREEDY = 28;
const OF_SECOND = 10;
const TOO_MANY = 1 + OF_GREEDY + OF_SECOND - MOST;
const ARGUMENT = 'x'.repeat(1000 * 1024);

const releases: (() => void)[] = [];
let aborted = 0;
const sessions = createBareServer(
  (server) => {
    const inputSchema = z.object({ text: z.string() });
    server.registerTool('hold', { inputSchema }, async ({ text }, { mcpReq }) => {
      mcpReq.signal.addEventListener('abort', () => aborted++);
      await new Promise<void>((resolve) => releases.push(resolve));
      return { content: [{ type: 'text', text: `${text.length}` }] };
    });
  },
  { publicUrl: undefined, access: 'open-to-network', trustedProxies: ['127.0.0.1'] },
);
let mcp: string;
beforeAll(async () => {
  ({ url: mcp } = await sessions.listen({ port: 0 }));
});
afterAll(() => sessions.close());

async function hold(address: string): Promise<string> {
  const { headers, body } = request2026('tools/call', { name: 'hold', arguments: { text: ARGUMENT } });
  const own = { ...headers, 'x-forwarded-for': address };
  const response = await fetch(mcp, { method: 'POST', headers: own, body: body ?? '' });
  return response.text();
}

it('bodies of calls in flight use at most 64 MiB; above that, the oldest call of the client with the most is disconnected [security 40]', async () => {
  const honest = hold('203.0.113.2');
  await expect.poll(() => releases).toHaveLength(1);
  const holdAll = async (address: string, count: number) => {
    const calls: Promise<string>[] = [];
    for (let each = 0; each < count; each++) {
      const before = releases.length;
      const call = hold(address);
      call.catch(() => undefined);
      calls.push(call);
      await expect.poll(() => releases).toHaveLength(before + 1);
    }
    return calls;
  };
  const greedy = await holdAll('203.0.113.1', OF_GREEDY);
  const second = await holdAll('203.0.113.3', OF_SECOND);
  await expect.poll(() => aborted).toBeGreaterThanOrEqual(TOO_MANY);
  for (const release of releases) release();
  for (const text of [await honest, ...(await Promise.all(second))])
    expect(text).toContain(`${ARGUMENT.length}`);
  const cut = (await Promise.allSettled(greedy)).filter(({ status }) => status === 'rejected');
  expect(cut.length).toBeGreaterThanOrEqual(TOO_MANY);
  expect(cut.length).toBeLessThan(2 * TOO_MANY);
});
