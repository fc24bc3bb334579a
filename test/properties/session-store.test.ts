import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { indexKeysOf } from '../../packages/sessions/src/session/session-index.js';
import {
  type AccountRecord,
  blankRecord,
  isSignedIn,
  type SessionKind,
  type SessionRecord,
} from '../../packages/sessions/src/session/session-record.js';
import type { InsertLimits } from '../../packages/sessions/src/session/session-store.js';
import { SessionTable } from '../../packages/sessions/src/store/table/session-table.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { Deadlines } from '../../packages/sessions/src/time/deadlines.js';
import { MapSessionStore } from '../support/map-session-store/map-session-store.js';
import { PlainSessionStore } from '../support/plain-session-store.js';

// The brand is given in the library only; here any text will do.
const refs = fc.constantFrom(...'abcdefg').map((ref) => ref as SessionRef);
const small = fc.nat({ max: 5 });
const subjects = fc.constantFrom(undefined, undefined, 'alice', 'bob');
const fields = fc.record({
  kind: fc.constantFrom<SessionKind>('connection', 'connection', 'owner-session', 'owned-connection'),
  version: small,
  quotaKey: fc.constantFrom('here', 'there', ''),
  dueAtMs: small,
  lastRequestAtMs: small,
  accounts: fc.record({ idp: subjects, other: subjects }).map(accountsOf),
  session: fc.option(refs, { nil: undefined }),
  subjectKey: fc.constantFrom(undefined, 'user'),
});
const limits = fc.record({
  maxSessions: fc.integer({ min: 1, max: 6 }),
  maxAnonymous: fc.integer({ min: 1, max: 5 }),
  share: fc.option(fc.record({ max: fc.integer({ min: 1, max: 3 }), minIdleMs: fc.nat({ max: 3 }) }), {
    nil: undefined,
  }),
});
const quietMs = fc.oneof(small, fc.constant(Number.POSITIVE_INFINITY));
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('insert' as const), ref: refs, fields, limits }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('replace' as const), ref: refs, fields, fits: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('visit' as const), ref: refs, atMs: small, quietMs }),
  },
  fc.record({ kind: fc.constant('take' as const), ref: refs }),
  fc.record({ kind: fc.constant('postpone' as const), ref: refs, atMs: small }),
  fc.record({ kind: fc.constant('presence' as const), ref: refs, isPresent: fc.boolean() }),
  fc.record({ kind: fc.constant('wait' as const), ms: small }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function accountsOf(subjectAt: Record<string, string | undefined>): Record<string, AccountRecord> {
  const accounts: Record<string, AccountRecord> = {};
  for (const [provider, subject] of Object.entries(subjectAt)) {
    if (subject === undefined) continue;
    const state = 'authenticated';
    accounts[provider] = {
      provider,
      state,
      generation: 1,
      grantId: 1,
      subject,
      scopes: [],
      hasRefreshToken: true,
    };
  }
  return accounts;
}

type LocalStore = MapSessionStore | SessionTable;
type CreateStore = (clock: VirtualClock, isPresent: (ref: SessionRef) => boolean) => LocalStore;

/** The store, and beside it a plain one that takes the same steps. */
class Pair {
  readonly clock = new VirtualClock();
  readonly plain = new PlainSessionStore();
  readonly store: LocalStore;

  constructor(create: CreateStore) {
    const { clock, plain } = this;
    this.store = create(clock, (ref) => plain.present.has(ref));
  }

  take(taken: Step): void {
    const { store, plain, clock } = this;
    if (taken.kind === 'insert') {
      this.insert({ ...blankRecord(taken.ref, 'connection', 'holder', 0), ...taken.fields }, taken.limits);
    } else if (taken.kind === 'replace') {
      const current = plain.get(taken.ref) ?? blankRecord(taken.ref, 'connection', 'holder', 0);
      const next = { ...current, ...taken.fields };
      const ifVersion = taken.fits ? current.version : current.version + 1;
      expect(store.replace(next, ifVersion)).toBe(plain.replace(next, ifVersion));
    } else if (taken.kind === 'visit') {
      const { ref, atMs, quietMs } = taken;
      expect(store.visit(ref, atMs, quietMs)).toEqual(plain.visit(ref, atMs, quietMs));
    } else if (taken.kind === 'take') {
      expect(store.take(taken.ref, 'deleted')).toEqual(plain.take(taken.ref, 'deleted'));
    } else if (taken.kind === 'postpone') {
      store.postpone(taken.ref, taken.atMs);
      plain.postpone(taken.ref, taken.atMs);
    } else if (taken.kind === 'presence') {
      plain.present[taken.isPresent ? 'add' : 'delete'](taken.ref);
    } else {
      clock.jump(taken.ms);
      plain.now = clock.now();
    }
  }

  insert(record: SessionRecord, given: InsertLimits): void {
    const { store, plain } = this;
    const before = store.size;
    const insertion = store.insert(record, given);
    const evicted = insertion.kind === 'inserted' ? insertion.evicted : [];
    // Of several shares of the same size, the store may choose any.
    plain.choose = (suitable) => {
      const chosen = suitable.find(({ ref }) => evicted.some((each) => each.ref === ref));
      if (!chosen) throw new Error('The store has not removed one of the largest share.');
      return chosen;
    };
    expect(insertion).toEqual(plain.insert(record, given));
    expect(store.size).toBeLessThanOrEqual(Math.max(before, given.maxSessions));
    expect(evicted.filter((each) => each.kind !== 'owned-connection' && isSignedIn(each))).toEqual([]);
  }

  compare(): void {
    const { store, plain } = this;
    expect([...store.refs().refs].sort()).toEqual(plain.records.map(({ ref }) => ref).sort());
    expect(store.size).toBe(plain.records.length);
    for (const record of plain.records) {
      expect(store.get(record.ref)).toEqual(record);
      for (const key of indexKeysOf(record)) expect(store.refsOf(key)).toEqual(plain.refsOf(key));
    }
    for (const [ref, reason] of plain.reasons) expect(store.endReasonOf(ref)).toBe(reason);
  }
}

const stores: { name: string; create: CreateStore }[] = [
  {
    name: 'of a Map',
    create: (clock, isPresent) =>
      new MapSessionStore({ clock, deadlines: new Deadlines(clock, () => undefined), isPresent }),
  },
  { name: 'of a table', create: (clock, isPresent) => new SessionTable({ clock, isPresent }) },
];

describe.each(stores)('the session store $name', ({ create }) => {
  it('answers as lists do that are searched, whatever it is asked [security 39]', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const pair = new Pair(create);
        for (const taken of steps) {
          pair.take(taken);
          pair.compare();
        }
      }),
      { numRuns: 100 },
    );
  });
});
