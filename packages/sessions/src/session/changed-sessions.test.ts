import { describe, expect, it } from 'vitest';
import { storeUnavailable } from '../errors.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { ChangedSessions } from './changed-sessions.js';
import type { SessionRef } from './ids.js';

// The brand is given in the library only; here any text will do.
const refs = (count: number) =>
  Array.from({ length: count }, (_, at) => String(at)) as unknown as SessionRef[];
const [a, b] = refs(2) as [SessionRef, SessionRef];

/** A store whose reads a test answers, all at once. */
function bench() {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const begun: SessionRef[] = [];
  let open: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const read = (ref: SessionRef) => {
    begun.push(ref);
    return new Promise<void>((resolve, reject) => open.push({ resolve, reject }));
  };
  const changed = new ChangedSessions({ clock, read, onError: (error) => void errors.push(error) });
  const settle = async (end: (each: (typeof open)[number]) => void) => {
    const ending = open;
    open = [];
    for (const each of ending) end(each);
    await clock.advance(0);
  };
  return {
    clock,
    errors,
    begun,
    changed,
    answer: () => settle(({ resolve }) => resolve()),
    fail: () => settle(({ reject }) => reject(storeUnavailable(new Error('down')))),
    openReads: () => open.length,
  };
}

describe('sessions that other nodes have changed', () => {
  it('are read 50 at a time, in the order in which they have changed', async () => {
    const { changed, begun, openReads, answer } = bench();
    const all = refs(120);
    for (const ref of all) changed.add(ref);
    for (const expected of [50, 50, 20]) {
      expect(openReads()).toBe(expected);
      await answer();
    }
    expect(begun).toEqual(all);
  });

  it('are read once for all changes before the read, and once more for those during it', async () => {
    const { changed, begun, answer } = bench();
    changed.add(a);
    for (let change = 0; change < 3; change++) changed.add(a);
    expect(begun).toEqual([a]);
    await answer();
    expect(begun).toEqual([a, a]);
    await answer();
    expect(begun).toEqual([a, a]);
  });

  it('are read a second after the store has failed, and no other one before', async () => {
    const { changed, begun, errors, clock, fail, answer } = bench();
    changed.add(a);
    await fail();
    changed.add(b);
    await clock.advance(999);
    expect([begun, errors.length]).toEqual([[a], 1]);
    await clock.advance(1);
    expect(begun).toEqual([a, a, b]);
    await answer();
    await clock.advance(10_000);
    expect([begun.length, errors.length]).toEqual([3, 1]);
  });

  it('are not read after the end, also those whose read fails later', async () => {
    const { changed, begun, clock, fail } = bench();
    for (const ref of refs(60)) changed.add(ref);
    changed.stop();
    await fail();
    changed.add(a);
    await clock.advance(10_000);
    expect(begun).toHaveLength(50);
  });

  it('are not read after the end, if they wait for the store', async () => {
    const { changed, begun, clock, fail } = bench();
    changed.add(a);
    await fail();
    changed.stop();
    await clock.advance(10_000);
    expect(begun).toEqual([a]);
  });
});
