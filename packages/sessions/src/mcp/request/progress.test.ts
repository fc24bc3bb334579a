import type { ServerContext } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { withProgress } from './progress.js';

const message = 'Waiting for the user.';

/** A call that waits, of a client that asked for progress with this token, if any. */
function begin({ progressToken, sinceMs = 0 }: { progressToken?: string | number; sinceMs?: number }) {
  const clock = new VirtualClock();
  clock.jump(sinceMs);
  const told: unknown[] = [];
  const notify = async (notification: unknown) => void told.push(notification);
  // As much of the SDK's context as matters here.
  const protocol = { mcpReq: { _meta: { progressToken }, notify } } as unknown as ServerContext;
  let finish: (result: string) => void = () => undefined;
  const wait = () => new Promise<string>((resolve) => (finish = resolve));
  const result = withProgress(protocol, clock, { message, sinceMs: 0 }, wait);
  return { clock, told, result, finish: (outcome: string) => finish(outcome) };
}

const notificationAt = (progress: number, progressToken: string | number = 'token') => ({
  method: 'notifications/progress',
  params: { progressToken, progress, message },
});

describe('a call that waits', () => {
  it('sends progress at once and every five seconds until the call ends', async () => {
    const { clock, told, result, finish } = begin({ progressToken: 'token' });
    expect(told).toEqual([notificationAt(0)]);
    await clock.advance(4999);
    expect(told).toHaveLength(1);
    await clock.advance(1);
    expect(told).toEqual([notificationAt(0), notificationAt(5)]);
    await clock.advance(5000);
    expect(told).toEqual([notificationAt(0), notificationAt(5), notificationAt(10)]);
    finish('done');
    expect(await result).toBe('done');
    await clock.advance(60_000);
    expect(told).toHaveLength(3);
    expect(clock.timers).toBe(0);
  });

  it('goes on counting where its last round stopped', async () => {
    const { clock, told } = begin({ progressToken: 0, sinceMs: 25_000 });
    await clock.advance(5000);
    expect(told).toEqual([notificationAt(25, 0), notificationAt(30, 0)]);
  });

  it('says nothing to a client that did not ask', async () => {
    const { clock, told, result, finish } = begin({});
    await clock.advance(60_000);
    finish('done');
    expect(await result).toBe('done');
    expect(told).toEqual([]);
  });
});
