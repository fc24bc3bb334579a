import { expect } from 'vitest';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import {
  accountIndex,
  connectionIndex,
  userIndex,
} from '../../packages/sessions/src/session/session-index.js';
import {
  type AccountRecord,
  blankRecord,
  type SessionRecord,
} from '../../packages/sessions/src/session/session-record.js';
import type { InsertLimits, SessionStore } from '../../packages/sessions/src/session/session-store.js';
import type { MaybePromise } from '../../packages/sessions/src/time/promises.js';
import { describe, it } from '../support/contract-tests.js';

/** A store, its clock, and the presence of clients. */
export interface StoreUnderTest {
  readonly store: SessionStore;
  readonly now: () => number;
  /** Moves the clock, and lets the store finish what it does until then. */
  readonly advance: (ms: number) => Promise<void>;
  /** Waits for an answer, which may need the clock to move. */
  readonly settle: <T>(answer: MaybePromise<T>) => Promise<T>;
  /** The sessions whose clients are present. */
  readonly present: Set<SessionRef>;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const FOREVER = Number.POSITIVE_INFINITY;
const NO_LIMITS: InsertLimits = { maxSessions: FOREVER, maxAnonymous: FOREVER };

// The brand is given in the library only; here any text will do.
const refOf = (ref: string) => ref as SessionRef;
const [a, b, c] = [refOf('a'), refOf('b'), refOf('c')];

function recordOf(ref: string, fields: Partial<SessionRecord> = {}): SessionRecord {
  return { ...blankRecord(refOf(ref), 'connection', 'holder', 0), ...fields };
}

function account(subject: string): AccountRecord {
  return {
    provider: 'idp',
    state: 'authenticated',
    generation: 1,
    grantId: 1,
    subject,
    scopes: [],
    hasRefreshToken: true,
  };
}

const loggedIn = (subject: string) => ({ accounts: { idp: account(subject) } });

/** What every session store guarantees, also when many callers use it at once. */
export function describeSessionStore(name: string, create: () => StoreUnderTest): void {
  /** Adds records without limits. */
  async function withRecords(...records: SessionRecord[]): Promise<StoreUnderTest> {
    const under = create();
    for (const record of records) await under.settle(under.store.insert(record, NO_LIMITS));
    return under;
  }

  /** Adds a session that begins now. */
  const start = ({ store, now, settle }: StoreUnderTest, ref: string, options: StartOptions = {}) => {
    const { limits = NO_LIMITS, ...fields } = options;
    const atMs = now();
    const record = recordOf(ref, { createdAtMs: atMs, lastRequestAtMs: atMs, ...fields });
    return settle(store.insert(record, limits));
  };

  const refsIn = async ({ store, settle }: StoreUnderTest) => [...(await settle(store.refs())).refs].sort();

  describe(`the session store ${name}`, () => {
    it('returns a record as it was inserted', async () => {
      const { store, settle } = await withRecords(recordOf('a', { owner: 'me' }));
      expect(await settle(store.get(a))).toEqual(recordOf('a', { owner: 'me' }));
      expect(await settle(store.get(b))).toBeUndefined();
      expect(await settle(store.refs())).toMatchObject({ refs: [a] });
    });

    it('inserts one of many records for the same reference', async () => {
      const { store, settle } = create();
      const inserted = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          settle(store.insert(recordOf('a', { owner: `${index}` }), NO_LIMITS)),
        ),
      );
      const kinds = inserted.map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === 'exists')).toHaveLength(19);
      expect(await settle(store.get(a))).toMatchObject({ owner: `${kinds.indexOf('inserted')}` });
    });

    it('replaces a record only while it has the version that the caller has read', async () => {
      const { store, settle } = await withRecords(recordOf('a', { version: 7 }));
      expect(await settle(store.replace(recordOf('a', { version: 8 }), 6))).toBe(false);
      expect(await settle(store.replace(recordOf('a', { version: 8 }), 8))).toBe(false);
      expect(await settle(store.get(a))).toMatchObject({ version: 7 });
      const replaced = await Promise.all(
        Array.from({ length: 20 }, (_, epoch) =>
          settle(store.replace(recordOf('a', { version: 100 + epoch, epoch }), 7)),
        ),
      );
      expect(replaced.filter(Boolean)).toHaveLength(1);
      expect(await settle(store.get(a))).toMatchObject({ epoch: replaced.indexOf(true) });
    });

    it('loses no change of callers that repeat theirs until it fits', async () => {
      const { store, settle } = await withRecords(recordOf('a'));
      let versions = 1;
      const increment = async (): Promise<void> => {
        const before = await settle(store.get(a));
        if (!before) throw new Error('The record is gone.');
        const after = { ...before, version: ++versions, epoch: before.epoch + 1 };
        if (!(await settle(store.replace(after, before.version)))) await increment();
      };
      await Promise.all(Array.from({ length: 20 }, increment));
      expect(await settle(store.get(a))).toMatchObject({ epoch: 20 });
    });

    it('does not bring back a record that was taken', async () => {
      const { store, settle } = await withRecords(recordOf('a'));
      await settle(store.take(a, 'deleted'));
      expect(await settle(store.replace(recordOf('a', { version: 2 }), 1))).toBe(false);
      expect(await settle(store.visit(a, 10, FOREVER))).toBeUndefined();
      await settle(store.postpone(a, 10));
      expect(await settle(store.get(a))).toBeUndefined();
      expect(await settle(store.refs())).toMatchObject({ refs: [] });
    });

    it('gives a record that is taken to one of many callers', async () => {
      const { store, settle } = await withRecords(recordOf('a'));
      const taken = await Promise.all(Array.from({ length: 20 }, () => settle(store.take(a, 'deleted'))));
      expect(taken.filter(Boolean)).toEqual([recordOf('a')]);
    });
  });

  describe(`visits in the session store ${name}`, () => {
    it('move the time of the last request forward and never back, whatever else changes', async () => {
      const { store, settle } = await withRecords(recordOf('a'));
      await Promise.all([30, 10, 20].map((atMs) => settle(store.visit(a, atMs, FOREVER))));
      expect(await settle(store.get(a))).toMatchObject({ lastRequestAtMs: 30, version: 1 });
      await settle(store.replace(recordOf('a', { version: 2, lastRequestAtMs: 5 }), 1));
      expect(await settle(store.get(a))).toMatchObject({ lastRequestAtMs: 30, version: 2 });
    });

    it('return the record after the visit', async () => {
      const { store, settle } = await withRecords(recordOf('a', { owner: 'me' }));
      expect(await settle(store.visit(a, 30, FOREVER))).toEqual(
        recordOf('a', { owner: 'me', lastRequestAtMs: 30 }),
      );
    });

    it('are not noted after the time without a request that ends a session', async () => {
      const { store, settle } = await withRecords(recordOf('a', { lastRequestAtMs: 100 }));
      for (const [atMs, quietMs] of [
        [130, 30],
        [131, 30],
        [100, 0],
      ] as const) {
        expect(await settle(store.visit(a, atMs, quietMs))).toMatchObject({ lastRequestAtMs: 100 });
      }
      expect(await settle(store.visit(a, 129, 30))).toMatchObject({ lastRequestAtMs: 129 });
      expect(await settle(store.get(a))).toMatchObject({ lastRequestAtMs: 129 });
    });
  });

  describe(`the limit of a share in the session store ${name}`, () => {
    const limits: InsertLimits = { ...NO_LIMITS, share: { max: 2, minIdleMs: 10 * MINUTE } };
    const ofShare = { limits, quotaKey: 'here' };

    it('refuses a session and says how long, then removes the longest idle one', async () => {
      const under = create();
      await start(under, 'a', ofShare);
      await under.advance(MINUTE);
      await start(under, 'b', ofShare);
      await under.advance(MINUTE);
      const refused = await start(under, 'c', ofShare);
      expect(refused.kind === 'share_full' && Math.round(refused.waitMs / MINUTE)).toBe(8);
      expect(await start(under, 'elsewhere', { limits, quotaKey: 'there' })).toMatchObject({
        kind: 'inserted',
      });
      await under.settle(under.store.visit(a, under.now(), FOREVER));
      await under.advance(9 * MINUTE);
      expect(await start(under, 'c', ofShare)).toMatchObject({ kind: 'inserted', evicted: [{ ref: b }] });
      expect(await under.settle(under.store.endReasonOf(b))).toBe('cap');
      expect(await refsIn(under)).toEqual([a, c, 'elsewhere']);
    });

    it('removes no session whose client is present', async () => {
      const under = create();
      await start(under, 'a', ofShare);
      await start(under, 'b', ofShare);
      await under.advance(10 * MINUTE);
      under.present.add(a).add(b);
      expect(await start(under, 'c', ofShare)).toEqual({ kind: 'share_full', waitMs: 10 * MINUTE });
      under.present.delete(b);
      expect(await start(under, 'c', ofShare)).toMatchObject({ kind: 'inserted', evicted: [{ ref: b }] });
    });

    it('removes no owned connection that was in use at its last visit, for a minute', async () => {
      const under = create();
      const owned = {
        ...ofShare,
        kind: 'owned-connection',
        limits: { ...limits, share: { max: 1, minIdleMs: 0 } },
      } as const;
      const visit = () => under.settle(under.store.visit(a, under.now(), FOREVER));
      await start(under, 'a', owned);
      under.present.add(a);
      await visit();
      await under.advance(59 * SECOND);
      expect(await start(under, 'b', owned)).toMatchObject({ kind: 'share_full' });
      under.present.delete(a);
      await visit();
      expect(await start(under, 'b', owned)).toMatchObject({ kind: 'inserted', evicted: [{ ref: a }] });
    });

    it('holds however many sessions are inserted at once', async () => {
      const under = create();
      const inserted = await Promise.all(
        Array.from({ length: 50 }, (_, number) => start(under, `${number}`, ofShare)),
      );
      expect(inserted.filter(({ kind }) => kind === 'inserted')).toHaveLength(2);
      expect(await refsIn(under)).toHaveLength(2);
    });

    it('does not count sessions with a login, which count for another share after it', async () => {
      const under = create();
      await start(under, 'a', ofShare);
      const { store, settle } = under;
      await settle(store.replace(recordOf('a', { ...loggedIn('alice'), quotaKey: 'here', version: 2 }), 1));
      await start(under, 'b', ofShare);
      await start(under, 'c', ofShare);
      expect(await start(under, 'd', ofShare)).toMatchObject({ kind: 'share_full' });
      await settle(store.replace(recordOf('a', { quotaKey: 'alice', version: 3 }), 2));
      expect(await start(under, 'd', ofShare)).toMatchObject({ kind: 'share_full' });
      await settle(store.take(b, 'deleted'));
      expect(await start(under, 'd', ofShare)).toEqual({ kind: 'inserted', evicted: [] });
    });
  });

  describe(`a full session store ${name}`, () => {
    const limits: InsertLimits = { maxSessions: 4, maxAnonymous: FOREVER };

    it('removes the longest idle session of the largest share', async () => {
      const under = create();
      for (const [ref, quotaKey] of ['a here', 'b there', 'c there', 'd '].map((each) => each.split(' ')))
        await start(under, ref ?? '', { limits, quotaKey: quotaKey ?? '' });
      await under.settle(under.store.visit(b, under.now(), FOREVER));
      expect(await start(under, 'e', { limits, quotaKey: 'here' })).toMatchObject({ evicted: [{ ref: c }] });
      expect(await start(under, 'f', { limits, quotaKey: 'other' })).toMatchObject({ evicted: [{ ref: a }] });
      expect(await under.settle(under.store.endReasonOf(c))).toBe('cap');
      expect(await refsIn(under)).toEqual([b, 'd', 'e', 'f']);
    });

    it('makes a session the newest of its share by a sign-out', async () => {
      const under = create();
      const { store, settle } = under;
      await start(under, 'a', { limits, ...loggedIn('alice'), quotaKey: 'alice' });
      await start(under, 'b', { limits, quotaKey: 'alice' });
      await settle(store.replace(recordOf('a', { quotaKey: 'alice', version: 2 }), 1));
      for (const ref of ['c', 'd']) await start(under, ref, { limits, quotaKey: ref });
      expect(await start(under, 'e', { limits })).toMatchObject({ evicted: [{ ref: b }] });
    });

    it('never removes a session with a login, and refuses another one if all have one', async () => {
      const under = create();
      for (const ref of ['a', 'b', 'c']) await start(under, ref, { limits, ...loggedIn(ref) });
      await start(under, 'd', { limits });
      expect(await start(under, 'e', { limits, ...loggedIn('e') })).toMatchObject({
        evicted: [{ ref: 'd' }],
      });
      expect(await start(under, 'f', { limits })).toEqual({ kind: 'full' });
      expect(await refsIn(under)).toEqual([a, b, c, 'e']);
    });

    it('removes nothing if it refuses a session', async () => {
      const under = create();
      const ofShare = { max: 1, minIdleMs: 0 };
      for (const ref of ['a', 'b', 'c']) await start(under, ref, { limits, ...loggedIn(ref) });
      await start(under, 'd', { limits, quotaKey: 'here' });
      const refusing = { maxSessions: 3, maxAnonymous: FOREVER, share: ofShare };
      expect(await start(under, 'e', { limits: refusing, quotaKey: 'here' })).toEqual({ kind: 'full' });
      expect(await refsIn(under)).toEqual([a, b, c, 'd']);
    });

    it('limits sessions without a login apart from those with one', async () => {
      const under = create();
      const few: InsertLimits = { maxSessions: FOREVER, maxAnonymous: 2 };
      for (const ref of ['a', 'b', 'c']) await start(under, ref, { limits: few, ...loggedIn(ref) });
      for (const ref of ['d', 'e']) await start(under, ref, { limits: few });
      expect(await start(under, 'f', { limits: few })).toMatchObject({ evicted: [{ ref: 'd' }] });
      expect(await start(under, 'g', { limits: few, ...loggedIn('g') })).toEqual({
        kind: 'inserted',
        evicted: [],
      });
    });

    it('has no more sessions than it may, however many are inserted at once', async () => {
      const under = create();
      const inserted = await Promise.all(
        Array.from({ length: 50 }, (_, number) => start(under, `${number}`, { limits })),
      );
      const evicted = inserted.flatMap((each) => (each.kind === 'inserted' ? each.evicted : []));
      expect(new Set(evicted.map(({ ref }) => ref)).size).toBe(46);
      expect(await refsIn(under)).toHaveLength(4);
    });

    it('removes an owned connection only for another one of the same share', async () => {
      const under = create();
      const connection = { kind: 'owned-connection', quotaKey: 'client' } as const;
      const two: InsertLimits = { ...limits, share: { max: 2, minIdleMs: 0 } };
      await start(under, 'a', { limits: two, ...connection });
      await start(under, 'b', { limits: two, ...connection });
      expect(await start(under, 'c', { limits: two, ...connection })).toMatchObject({
        evicted: [{ ref: a }],
      });
      await start(under, 'd', { limits, ...loggedIn('alice') });
      await start(under, 'e', { limits, quotaKey: 'client' });
      expect(await start(under, 'f', { limits, quotaKey: 'client' })).toMatchObject({
        evicted: [{ ref: 'e' }],
      });
      expect(
        await start(under, 'g', { limits: two, kind: 'owned-connection', quotaKey: 'other' }),
      ).toMatchObject({
        evicted: [{ ref: 'f' }],
      });
      expect(await start(under, 'h', { limits })).toEqual({ kind: 'full' });
    });
  });

  describe(`the index of the session store ${name}`, () => {
    it('has the sessions of a key in the order in which they got it', async () => {
      const { store, settle } = await withRecords(
        recordOf('a', loggedIn('alice')),
        recordOf('b', loggedIn('alice')),
        recordOf('c', { subjectKey: 'user', session: a }),
      );
      const alice = accountIndex(account('alice'));
      expect(await settle(store.refsOf(alice))).toEqual([a, b]);
      expect(await settle(store.refsOf(userIndex('user')))).toEqual([c]);
      expect(await settle(store.refsOf(connectionIndex(a)))).toEqual([c]);
      expect(await settle(store.refsOf(connectionIndex(b)))).toEqual([]);
      await settle(store.replace(recordOf('a', { ...loggedIn('bob'), version: 2 }), 1));
      expect(await settle(store.refsOf(alice))).toEqual([b]);
      expect(await settle(store.refsOf(accountIndex(account('bob'))))).toEqual([a]);
      await settle(store.replace(recordOf('a', { ...loggedIn('alice'), version: 3 }), 2));
      await settle(store.replace(recordOf('b', { ...loggedIn('alice'), version: 2, epoch: 1 }), 1));
      expect(await settle(store.refsOf(alice))).toEqual([b, a]);
    });

    it('does not change with a replacement that is refused', async () => {
      const { store, settle } = await withRecords(recordOf('a'));
      await settle(store.replace(recordOf('a', { ...loggedIn('alice'), version: 3 }), 2));
      expect(await settle(store.refsOf(accountIndex(account('alice'))))).toEqual([]);
    });

    it('has no session that was taken or removed', async () => {
      const under = await withRecords(
        recordOf('a', loggedIn('alice')),
        recordOf('b', { subjectKey: 'user' }),
      );
      const { store, settle } = under;
      await settle(store.take(a, 'idle'));
      await start(under, 'c', { limits: { maxSessions: 1, maxAnonymous: FOREVER } });
      expect(await settle(store.refsOf(accountIndex(account('alice'))))).toEqual([]);
      expect(await settle(store.refsOf(userIndex('user')))).toEqual([]);
    });
  });

  describe(`the end of a session in the session store ${name}`, () => {
    it('has its reason for ten minutes [security 38]', async () => {
      const { store, settle, advance } = await withRecords(recordOf('a'), recordOf('b'));
      await settle(store.take(a, 'idle'));
      await settle(store.take(a, 'shutdown'));
      await settle(store.take(c, 'deleted'));
      await advance(10 * MINUTE - SECOND);
      expect(await settle(store.endReasonOf(a))).toBe('idle');
      expect(await settle(store.endReasonOf(b))).toBeUndefined();
      expect(await settle(store.endReasonOf(c))).toBeUndefined();
      await advance(SECOND);
      expect(await settle(store.endReasonOf(a))).toBeUndefined();
    });
  });

  describe(`due sessions of the session store ${name}`, () => {
    /** Consumes due sessions. @returns those that were handed over so far */
    function consume({ store }: StoreUnderTest, run: (ref: SessionRef) => void = () => undefined) {
      const handed: SessionRef[] = [];
      const stop = store.consumeDue((ref) => {
        handed.push(ref);
        run(ref);
      });
      return { handed, stop };
    }

    it('are handed over at their time, and again unless a due time was set meanwhile', async () => {
      const under = create();
      const { store, advance, settle } = under;
      const { handed } = consume(under, (ref) => {
        if (ref === b) void settle(store.postpone(ref, FOREVER));
      });
      await start(under, 'a', { dueAtMs: under.now() + 30 * SECOND });
      await start(under, 'b', { dueAtMs: under.now() + 30 * SECOND });
      await start(under, 'c');
      await advance(28 * SECOND);
      expect(handed).toEqual([]);
      await advance(4 * SECOND);
      expect([...handed].sort()).toEqual([a, b]);
      await advance(10 * SECOND);
      expect(handed.filter((ref) => ref === a).length).toBeGreaterThan(1);
      expect(handed.filter((ref) => ref === b)).toHaveLength(1);
      expect(handed).not.toContain(c);
    });

    it('are those whose due time the last change or postponement has set', async () => {
      const under = create();
      const { store, advance, settle, now } = under;
      const { handed } = consume(under);
      for (const ref of ['a', 'b', 'c']) await start(under, ref, { dueAtMs: now() + 10 * SECOND });
      await settle(store.postpone(a, now() + MINUTE));
      await settle(store.replace(recordOf('b', { version: 2, dueAtMs: now() + MINUTE }), 1));
      await settle(store.take(c, 'deleted'));
      await advance(30 * SECOND);
      expect(handed).toEqual([]);
      expect(await settle(store.get(a))).toMatchObject({ version: 1 });
      await settle(store.postpone(a, now()));
      await advance(4 * SECOND);
      expect(handed).toEqual([a]);
      await advance(30 * SECOND);
      expect(handed).toContain(b);
      expect(handed).not.toContain(c);
    });

    it('are handed over as soon as there is a consumer, and not after it has stopped', async () => {
      const under = create();
      await start(under, 'a', { dueAtMs: under.now() + SECOND });
      await under.advance(MINUTE);
      const { handed, stop } = consume(under);
      await under.advance(4 * SECOND);
      expect(handed).toEqual([a]);
      stop();
      await under.advance(MINUTE);
      expect(handed).toEqual([a]);
    });
  });
}

type StartOptions = Partial<SessionRecord> & { readonly limits?: InsertLimits };
