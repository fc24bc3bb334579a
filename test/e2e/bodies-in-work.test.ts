import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { createBareServer } from '../support/bare-server.js';
import { request2026 } from '../support/raw-mcp.js';

/** Each counts with two bytes for a character, and 64 MiB may be held: half of these fit. */
const TOO_MANY = 50;
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

it('bodies of calls that are served take up 64 MiB; then the client with most of them loses its oldest [security 40]', async () => {
  const honest = hold('203.0.113.2');
  await expect.poll(() => releases).toHaveLength(1);
  const greedy: Promise<string>[] = [];
  for (let count = 1; count <= TOO_MANY; count++) {
    const call = hold('203.0.113.1');
    call.catch(() => undefined);
    greedy.push(call);
    await expect.poll(() => releases).toHaveLength(1 + count);
  }
  const outcomes = Promise.allSettled(greedy);
  await expect.poll(() => aborted).toBeGreaterThanOrEqual(TOO_MANY - 32);
  expect(aborted).toBeLessThanOrEqual(TOO_MANY - 20);
  for (const release of releases) release();
  expect(await honest).toContain(`${ARGUMENT.length}`);
  const cut = (await outcomes).filter(({ status }) => status === 'rejected');
  expect(cut.length).toBeGreaterThanOrEqual(TOO_MANY - 32);
});
