import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../session/ids.js';
import type { Engine } from './engine.js';
import { RecentWrites } from './recent-writes.js';

// The brand is given in the library only; here any text will do.
const REF = 'a session' as unknown as SessionRef;

/** An engine that notes what is written again. @param run called with each write */
function engineOf(run: () => void = () => undefined) {
  const numbers: unknown[] = [];
  const engine = {
    run: async (_script: unknown, [, number]: readonly unknown[]) => {
      numbers.push(number);
      run();
      return 1;
    },
  };
  return { engine: engine as unknown as Engine, numbers };
}

describe('the recent writes of a node', () => {
  it('keep a write that comes while earlier ones are repeated', async () => {
    const writes = new RecentWrites(() => 0);
    writes.written(REF, 1, ['first']);
    const former = engineOf(() => writes.written(REF, 2, ['second']));
    await writes.writeAgain(former.engine);
    const next = engineOf();
    await writes.writeAgain(next.engine);
    expect([former.numbers, next.numbers]).toEqual([[1], [2]]);
  });

  it('are repeated at the next failover, too', async () => {
    let nowMs = 0;
    const writes = new RecentWrites(() => nowMs);
    writes.written(REF, 1, ['first']);
    nowMs = 15_000;
    expect(await writes.writeAgain(engineOf().engine)).toBe(1);
    nowMs = 30_000;
    writes.prune();
    expect(await writes.writeAgain(engineOf().engine)).toBe(1);
  });
});
