import { describe, expect, it } from 'vitest';
import { storeUnavailable } from '../errors.js';
import { SessionTable } from '../store/table/session-table.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { DueSessions, type DueWork } from './due-sessions.js';
import type { SessionRef } from './ids.js';
import { blankRecord, type SessionRecord } from './session-record.js';

const HOUR_MS = 3_600_000;
const NO_LIMITS = { maxSessions: 100, maxAnonymous: 100 };
// A reference of a session that exists nowhere else.
const ref = 'session' as unknown as SessionRef;

/** The due time of each work of these tests is a number in the record. */
type Timed = 'createdAtMs' | 'signedInAtMs';

function setUp() {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const store = new SessionTable({ clock, isPresent: () => false });
  const runs: string[] = [];
  const due = new DueSessions({ store, clock, onError: (error) => void errors.push(error) });
  const work = (
    field: Timed,
    againMs: number,
    run: (record: SessionRecord) => void = () => undefined,
  ): void =>
    due.add({
      dueAtMs: (record) => record[field],
      run: (record) => {
        runs.push(`${field} at ${Math.round(clock.now() / 1000)}`);
        run(record);
      },
      againMs,
    } satisfies DueWork);
  const record = (fields: Partial<SessionRecord>) => {
    const made = { ...blankRecord(ref, 'connection', 'anonymous', HOUR_MS), ...fields };
    return { ...made, dueAtMs: due.next(made) };
  };
  const change = (fields: Partial<SessionRecord>) => {
    const before = store.get(ref);
    if (!before) throw new Error('There is no session.');
    const after = { ...before, ...fields, version: before.version + 1 };
    return store.replace({ ...after, dueAtMs: due.next(after) }, before.version);
  };
  const insert = (fields: Partial<SessionRecord>) => store.insert(record(fields), NO_LIMITS);
  return { clock, store, due, runs, errors, work, change, insert };
}

describe('the due times of sessions', () => {
  it('are those of the earliest work, and never without one', () => {
    const { due, work } = setUp();
    const record = blankRecord(ref, 'connection', 'anonymous', 7000);
    expect(due.next(record)).toBe(Number.POSITIVE_INFINITY);
    work('signedInAtMs', 1000);
    expect(due.next(record)).toBe(Number.POSITIVE_INFINITY);
    work('createdAtMs', 1000);
    expect([due.next(record), due.next({ ...record, signedInAtMs: 3000 })]).toEqual([7000, 3000]);
  });

  it('run the works that are due, and not the others', async () => {
    const { clock, due, work, insert, change, runs } = setUp();
    work('signedInAtMs', 600_000, () => void change({ signedInAtMs: undefined }));
    work('createdAtMs', 600_000);
    due.start();
    insert({ signedInAtMs: 10_000, createdAtMs: 20_000 });
    await clock.advance(10_000);
    expect(runs).toEqual(['signedInAtMs at 10']);
    await clock.advance(10_000);
    expect(runs).toEqual(['signedInAtMs at 10', 'createdAtMs at 20']);
  });

  it('come again for a work that changes nothing, without delay of the other works', async () => {
    const { clock, due, work, insert, runs } = setUp();
    work('signedInAtMs', 5000);
    work('createdAtMs', HOUR_MS);
    due.start();
    insert({ signedInAtMs: 10_000, createdAtMs: 17_000 });
    await clock.advance(20_000);
    // A session that is due for one work is due for all.
    expect(runs).toEqual([
      'signedInAtMs at 10',
      'signedInAtMs at 15',
      'signedInAtMs at 17',
      'createdAtMs at 17',
    ]);
  });

  it('follow a change of the record that the work makes', async () => {
    const { clock, due, work, insert, change, runs } = setUp();
    work('signedInAtMs', 5000, ({ signedInAtMs = 0 }) => void change({ signedInAtMs: 4 * signedInAtMs }));
    due.start();
    insert({ signedInAtMs: 10_000 });
    await clock.advance(39_000);
    expect(runs).toEqual(['signedInAtMs at 10']);
    await clock.advance(1000);
    expect(runs).toHaveLength(2);
  });

  it('are kept if a change comes between the read and the postponement', async () => {
    const { clock, store, due, work, insert, change, runs } = setUp();
    work('signedInAtMs', HOUR_MS, () => undefined);
    due.start();
    insert({ signedInAtMs: 10_000 });
    const postpone = store.postpone.bind(store);
    store.postpone = (session, atMs) => {
      store.postpone = postpone;
      change({ signedInAtMs: 15_000 });
      postpone(session, atMs);
    };
    await clock.advance(15_000);
    expect(runs).toEqual(['signedInAtMs at 10', 'signedInAtMs at 15']);
  });

  it('are tried again a second after an error of the store, which is reported', async () => {
    const { clock, store, due, work, insert, runs, errors } = setUp();
    work('signedInAtMs', HOUR_MS);
    due.start();
    insert({ signedInAtMs: 10_000 });
    const get = store.get.bind(store);
    const lost = storeUnavailable(new Error('down'));
    store.get = () => {
      store.get = get;
      throw lost;
    };
    await clock.advance(10_500);
    expect([runs, errors]).toEqual([[], [lost]]);
    await clock.advance(500);
    expect(runs).toEqual(['signedInAtMs at 11']);
  });

  it('run nothing before the start, after the stop, and after the end of the session', async () => {
    const { clock, store, due, work, insert, runs } = setUp();
    work('signedInAtMs', 1000);
    insert({ signedInAtMs: 10_000 });
    await clock.advance(20_000);
    expect(runs).toEqual([]);
    due.start();
    await clock.advance(1000);
    expect(runs[0]).toBe('signedInAtMs at 20');
    due.stop();
    const count = runs.length;
    await clock.advance(60_000);
    expect(runs).toHaveLength(count);
    due.start();
    store.take(ref, 'deleted');
    await clock.advance(60_000);
    expect(runs).toHaveLength(count);
    expect(clock.timers).toBe(0);
  });
});
