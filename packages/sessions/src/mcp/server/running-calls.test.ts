import { expect, it } from 'vitest';
import { createBareServer, rawClient2025, rawClient2026 } from '../../../../../test/support/bare-server.js';
import { reachedFrom } from '../../../../../test/support/in-memory-client.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Deadlines } from '../../time/deadlines.js';
import { CALL_BYTES, CALL_LIMITS } from '../request/client-memory-limits.js';
import { RunningCalls } from './running-calls.js';

const MCP = 'https://mcp.example/mcp';
const MINUTE_MS = 60_000;
/** What one client may have in work. */
const QUARTER = CALL_LIMITS.sharedBytes / 4;
const BUSY = expect.objectContaining({ code: -32_000, message: expect.stringContaining('in a moment') });

function start() {
  const releases: (() => void)[] = [];
  const sessions = createBareServer(
    (server) => {
      server.registerTool('hold', {}, async () => {
        await new Promise<void>((resolve) => releases.push(resolve));
        return { content: [] };
      });
    },
    { publicUrl: new URL(MCP).origin, access: 'open-to-network' },
  );
  const from = (index: number) => {
    const server = reachedFrom(sessions, `203.0.113.${index}`);
    return { handleRequest: (request: Request) => server.handleRequest(new Request(MCP, request)) };
  };
  return { releases, from };
}

const HOLD = { name: 'hold', arguments: {} };

it('calls that name no session are taken in until those of an address take up 64 MiB [security 40]', async () => {
  const { releases, from } = start();
  const client = rawClient2026(from(1));
  const expected = Math.floor(QUARTER / (CALL_BYTES.byItself + 1024));
  const calls = Array.from({ length: QUARTER / CALL_BYTES.byItself }, () => client.ask('tools/call', HOLD));
  await expect.poll(() => releases.length).toBeGreaterThanOrEqual(expected);
  expect((await client.ask('tools/call', HOLD)).error).toEqual(BUSY);
  expect((await rawClient2026(from(2)).ask('tools/list', {})).error).toBeUndefined();
  for (const release of releases) release();
  const answers = await Promise.all(calls);
  expect(answers.filter(({ result }) => result).length).toBe(releases.length);
  expect((await client.ask('tools/list', {})).error).toBeUndefined();
});

it('a call of 2025 counts until its handler is done, with what it was sent, although its client has hung up [security 40]', async () => {
  const { releases, from } = start();
  const client = await rawClient2025(from(1));
  const text = 'x'.repeat(1000 * 1024);
  const callAndHangUp = async (id: number) => {
    const params = { ...HOLD, arguments: { text } };
    const response = await client.post(JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }));
    await response.body?.cancel();
  };
  const expected = Math.floor(QUARTER / (2 * text.length + CALL_BYTES.ofConnection + 1024));
  await Promise.all(Array.from({ length: expected + 2 }, (_, index) => callAndHangUp(index + 1)));
  expect(releases).toHaveLength(expected);
  expect((await client.ask('tools/call', { ...HOLD, arguments: { text } }, 99)).error).toEqual(BUSY);
  releases.shift()?.();
  await expect
    .poll(async () => {
      await callAndHangUp(100 + releases.length);
      return releases.length;
    })
    .toBe(expected);
});

it('what a handler that got stuck has taken up is given back a minute after its request was cancelled', async () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  const calls = new RunningCalls({ contexts: { peek: () => undefined }, clock, deadlines });
  const fill = () => calls.begin({}, CALL_LIMITS.maxBytes - 1024);
  const stuck = [fill(), fill(), fill(), fill()];
  expect(fill).toThrow(/in a moment/);
  for (const call of stuck) call.cancelled();
  expect(fill).toThrow(/in a moment/);
  await clock.advance(MINUTE_MS + 100);
  for (const call of stuck) call.returned();
  expect(deadlines.size).toBe(0);
  for (const call of [fill(), fill(), fill(), fill()]) call.returned();
});
