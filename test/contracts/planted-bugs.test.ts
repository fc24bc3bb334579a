import { describe, expect, it } from 'vitest';
import type { OneTimeStore } from '../../packages/sessions/src/limits/one-time-store.js';
import type { Rates } from '../../packages/sessions/src/limits/rates.js';
import type { AttemptStore } from '../../packages/sessions/src/login/attempt-store.js';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { type IndexKey, indexKeysOf } from '../../packages/sessions/src/session/session-index.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';
import { LocalMessages } from '../../packages/sessions/src/store/local-messages.js';
import { MapAttemptStore } from '../../packages/sessions/src/store/map-attempt-store.js';
import { MapOneTimeStore } from '../../packages/sessions/src/store/map-one-time-store.js';
import { MapRates } from '../../packages/sessions/src/store/map-rates.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { Deadlines } from '../../packages/sessions/src/time/deadlines.js';
import { allRefs } from '../support/all-refs.js';
import { testsOf } from '../support/contract-tests.js';
import { MapSessionStore } from '../support/map-session-store/map-session-store.js';
import { withoutForeignClaims } from '../support/planted-claims.js';
import { describeAttemptStore } from './attempt-store-contract.js';
import { describeMessages } from './messages-contract.js';
import { describeOneTimeStore } from './one-time-store-contract.js';
import { describeRates } from './rates-contract.js';
import { describeRefreshClaims } from './refresh-claims-contract.js';
import { describeSessionStore } from './session-store-contract.js';

/** Bugs that an adapter of a port could have, as a suite over such an adapter, and the test that has to notice it. */
const PLANTED: Readonly<Record<string, { readonly suite: () => void; readonly noticedBy: string }>> = {
  'a visit that revives an ended session': {
    suite: ofSessions((store) => ({
      visit: (ref, atMs) => store.visit(ref, atMs, Number.POSITIVE_INFINITY),
    })),
    noticedBy: 'are not noted after the time without a request that ends a session',
  },
  'a limit of sessions that is checked apart from the insertion': {
    suite: ofSessions((store) => ({
      insert: async (record, limits) => {
        const { length } = await allRefs(store);
        return store.insert(record, length < limits.maxSessions ? NO_LIMITS : limits);
      },
    })),
    noticedBy: 'has no more sessions than it may, however many are inserted at once',
  },
  'a sign-out that leaves the index': {
    suite: ofSessions(withGrowingIndex),
    noticedBy: 'has the sessions of a key in the order in which they got it',
  },
  'an end that leaves the index': {
    suite: ofSessions(withGrowingIndex),
    noticedBy: 'has no session that was taken or removed',
  },
  'a record that two callers take': {
    suite: ofSessions((store) => ({
      take: async (ref, reason) => {
        const record = await store.get(ref);
        await store.take(ref, reason);
        return record;
      },
    })),
    noticedBy: 'gives a record that is taken to one of many callers',
  },
  'due sessions without a lease': {
    suite: ofSessions((store) => ({ consumeDue: (run) => store.consumeDue(once(run)) })),
    noticedBy: 'are handed over at their time, and again unless a due time was set meanwhile',
  },
  'a claim of a refresh that others ignore': {
    suite: () => describeRefreshClaims('', () => ({ parts: { wrapRegistry: withoutForeignClaims } })),
    noticedBy: 'are taken by one of many refreshes [security 17, 52]',
  },
  'a login attempt that is taken twice': {
    suite: ofAttempts((store) => ({
      replace: async (next) => {
        const current = await store.get(next.key);
        return current !== undefined && store.replace(next, current.version);
      },
    })),
    noticedBy: 'makes one of many changes of the same version, so that a state is used once [security 12]',
  },
  'due login attempts without a lease': {
    suite: ofAttempts((store) => ({ consumeDue: (run) => store.consumeDue(once(run)) })),
    noticedBy: 'hands a login over when it is due, and again until its due time is set or it ends',
  },
  'a name that is redeemed apart from the look for it': {
    suite: ofNames((store) => {
      const issued = new Set<string>();
      return {
        issue: (name, quota, untilMs) => {
          issued.add(name);
          return store.issue(name, quota, untilMs);
        },
        redeem: async (name) => {
          const isIssued = issued.has(name);
          await store.redeem(name);
          issued.delete(name);
          return isIssued;
        },
      };
    }),
    noticedBy: 'are redeemed once, by one of many callers [security 16]',
  },
  'a name whose use is noted apart from the look for it': {
    suite: ofNames((store) => {
      const used = new Set<string>();
      return {
        use: async (name, untilMs) => {
          const isFirst = !used.has(name.name);
          await store.use(name, untilMs);
          used.add(name.name);
          return isFirst;
        },
      };
    }),
    noticedBy: 'are new to one of many callers',
  },
  'a rate that is counted apart from the look at it': {
    suite: ofRates((rates) => ({
      take: async (limit, key) => {
        const wait = await rates.wait(limit, key);
        if (wait === undefined) await rates.take(limit, key);
        return wait;
      },
    })),
    noticedBy: 'allow the number at once, and as many in every minute after that [security 39]',
  },
  'messages that stay on their node': {
    suite: () =>
      describeMessages('', () => ({
        nodes: [new LocalMessages(), new LocalMessages()],
        clock: new VirtualClock(),
      })),
    noticedBy: 'reach each subscriber of their topic once, on every node',
  },
};

describe('the contract suite of a port', () => {
  it.each(Object.entries(PLANTED))('notices %s', async (_name, { suite, noticedBy }) => {
    const test = testsOf(suite).get(noticedBy);
    if (!test) throw new Error(`No test has the title "${noticedBy}".`);
    await expect((async () => test())()).rejects.toMatchObject({ name: 'AssertionError' });
  });
});

const NO_LIMITS = { maxSessions: Number.POSITIVE_INFINITY, maxAnonymous: Number.POSITIVE_INFINITY };

/** A clock, and timers behind it that a process runs. */
function timers() {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  return { clock, deadlines };
}

/** A port with some methods replaced; the given one is as it was. */
function planted<Port extends object>(port: Port, plant: (port: Port) => Partial<Port>): Port {
  const methods = plant(port);
  return new Proxy(port, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in methods ? methods : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function ofSessions(plant: (store: SessionStore) => Partial<SessionStore>): () => void {
  return () =>
    describeSessionStore('', () => {
      const { clock, deadlines } = timers();
      const present = new Set<SessionRef>();
      const isPresent = (ref: SessionRef) => present.has(ref);
      return {
        store: planted<SessionStore>(new MapSessionStore({ clock, deadlines, isPresent }), plant),
        now: () => clock.now(),
        advance: (ms) => clock.advance(ms),
        settle: async (answer) => answer,
        present,
      };
    });
}

function ofAttempts(plant: (store: AttemptStore) => Partial<AttemptStore>): () => void {
  return () =>
    describeAttemptStore('', () => {
      const { clock, deadlines } = timers();
      return { clock, store: planted<AttemptStore>(new MapAttemptStore({ clock, deadlines }), plant) };
    });
}

function ofNames(plant: (store: OneTimeStore) => Partial<OneTimeStore>): () => void {
  return () =>
    describeOneTimeStore('', () => {
      const { clock } = timers();
      return { clock, store: planted<OneTimeStore>(new MapOneTimeStore(clock), plant) };
    });
}

function ofRates(plant: (rates: Rates) => Partial<Rates>): () => void {
  return () =>
    describeRates('', () => {
      const { clock, deadlines } = timers();
      return { clock, rates: planted<Rates>(new MapRates({ clock, deadlines }), plant) };
    });
}

/** Runs something for each key once only, as if what was handed over were certain to be done. */
function once<Key>(run: (key: Key) => void): (key: Key) => void {
  const handed = new Set<Key>();
  return (key) => {
    if (handed.has(key)) return;
    handed.add(key);
    run(key);
  };
}

/** An index that no change and no end of a session takes anything from. */
function withGrowingIndex(store: SessionStore): Partial<SessionStore> {
  const index = new Map<IndexKey, Set<SessionRef>>();
  const add = (record: SessionRecord) => {
    for (const key of indexKeysOf(record)) index.set(key, (index.get(key) ?? new Set()).add(record.ref));
  };
  return {
    insert: (record, limits) => {
      add(record);
      return store.insert(record, limits);
    },
    replace: (next, ifVersion) => {
      add(next);
      return store.replace(next, ifVersion);
    },
    refsOf: (key) => [...(index.get(key) ?? [])],
  };
}
