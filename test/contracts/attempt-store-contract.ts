import { expect } from 'vitest';
import { clientKeyOf } from '../../packages/sessions/src/limits/client-key.js';
import {
  attemptKeyOf,
  endedAttempt,
  type LoginAttempt,
  type PendingAttempt,
} from '../../packages/sessions/src/login/attempt-record.js';
import {
  type AttemptLimits,
  type AttemptStore,
  FAILED_LOGIN_KEPT_MS,
  MAX_FAILED_LOGINS,
} from '../../packages/sessions/src/login/attempt-store.js';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { LoginFailure } from '../../packages/sessions/src/session/session-events.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { MaybePromise } from '../../packages/sessions/src/time/promises.js';
import { describe, it } from '../support/contract-tests.js';
import { answerOf, answersInBatches } from '../support/port-answers.js';

/** A store and the clock that its answers and its due times depend on. */
export interface AttemptStoreBench {
  readonly store: AttemptStore;
  readonly clock: VirtualClock;
}

const MINUTE_MS = 60 * 1000;
const LIMITS: AttemptLimits = { maxPerSession: 3, maxAttempts: 1000 };

/** A login of a session; `id` is that of its link. */
export function attemptOf(id: string, fields: Partial<PendingAttempt> = {}): PendingAttempt {
  return {
    key: attemptKeyOf(id),
    version: 1,
    dueAtMs: Number.POSITIVE_INFINITY,
    id,
    snapshot: { ref: `session of ${id}` as SessionRef, epoch: 0 },
    provider: 'idp',
    scopes: ['openid'],
    source: {
      clientName: 'client',
      origin: 'remote',
      initiator: { issuer: 'https://issuer.example', subject: 'alice' },
      clientKey: clientKeyOf('203.0.113.1'),
    },
    quotaKey: '',
    check: 'none',
    isDevice: false,
    startedAtMs: 0,
    expiresAtMs: 10 * MINUTE_MS,
    ...fields,
  };
}

function ofSession(session: string, fields: Partial<PendingAttempt> = {}): Partial<PendingAttempt> {
  return { ...fields, snapshot: { ref: session as SessionRef, epoch: 0 } };
}

/** The attempt after a browser has consented. */
export function consented(attempt: PendingAttempt, name: string, version: number): PendingAttempt {
  const digests = { stateDigest: `state ${name}`, cookieDigest: `cookie ${name}` };
  const checks = { salt: Buffer.alloc(32), bytes: Buffer.alloc(40) };
  const transaction = { ...digests, purpose: 'login', checks } as const;
  return { ...attempt, version, transaction, lastTransaction: digests };
}

/** The attempt after its state is used up. */
export function taken(attempt: PendingAttempt, version: number): PendingAttempt {
  const { transaction: _used, ...rest } = attempt;
  return { ...rest, version };
}

export function failed(attempt: PendingAttempt, failure: LoginFailure, version: number) {
  return endedAttempt(attempt, { kind: 'failed', failure }, version);
}

/** What every store guarantees, also when many call it at once. */
export function describeAttemptStore(name: string, create: () => AttemptStoreBench): void {
  function setUp(limits: Partial<AttemptLimits> = {}) {
    const { store, clock } = create();
    const ask = <T>(answer: MaybePromise<T>): Promise<T> => answerOf(clock, answer);
    const askAll = <T>(answers: readonly MaybePromise<T>[]): Promise<T[]> => ask(Promise.all(answers));
    const inBatches = <T>(
      attempts: readonly PendingAttempt[],
      call: (one: PendingAttempt) => MaybePromise<T>,
    ) => answersInBatches(clock, attempts, call);
    const insert = (attempt: PendingAttempt, replaces?: PendingAttempt) =>
      store.insert(attempt, replaces?.key, { ...LIMITS, ...limits });
    const add = async (attempt: PendingAttempt, replaces?: PendingAttempt) => {
      expect(await ask(insert(attempt, replaces))).toMatchObject({ kind: 'inserted' });
      return attempt;
    };
    const change = async <T extends LoginAttempt>(next: T, ifVersion: number) => {
      expect(await ask(store.replace(next, ifVersion))).toBe(true);
      return next;
    };
    const consent = (attempt: PendingAttempt, state: string = attempt.id) =>
      change(consented(attempt, state, attempt.version + 1), attempt.version);
    const fail = (attempt: PendingAttempt, failure: LoginFailure = 'expired') =>
      change(failed(attempt, failure, attempt.version + 1), attempt.version);
    return { store, clock, ask, askAll, inBatches, insert, add, change, consent, fail };
  }

  describe(`the attempt store ${name}`, () => {
    it('returns what was added', async () => {
      const { store, ask, add } = setUp();
      const first = await add(attemptOf('first', ofSession('a')));
      const second = await add(attemptOf('second', ofSession('a', { provider: 'other' })));
      const { ref } = first.snapshot;
      expect(await ask(store.get(first.key))).toEqual(first);
      expect(await ask(store.get(attemptKeyOf('third')))).toBeUndefined();
      expect(await ask(store.latest(ref, 'other'))).toEqual(second);
      expect(await ask(store.latest(ref, 'third'))).toBeUndefined();
      expect(await ask(store.pendingOf(ref))).toEqual([first, second]);
      expect(await ask(store.pendingOf('b' as SessionRef))).toEqual([]);
      expect(await ask(store.pending())).toEqual([first, second]);
    });

    it('has three pending logins of a session at most [security 41]', async () => {
      const { store, ask, insert, add } = setUp();
      const added: PendingAttempt[] = [];
      for (const provider of ['a', 'b', 'c'])
        added.push(await add(attemptOf(provider, ofSession('one', { provider }))));
      const refused = attemptOf('d', ofSession('one', { provider: 'd' }));
      expect(await ask(insert(refused))).toEqual({ kind: 'session_full' });
      expect(await ask(store.get(refused.key))).toBeUndefined();
      expect(await ask(store.pending())).toHaveLength(3);
      // It supersedes the pending login at that provider.
      await add(attemptOf('another', ofSession('one', { provider: 'c' })), added[2]);
      await add(attemptOf('other', ofSession('other', { provider: 'd' })));
    });

    it('supersedes the pending login of the session at the provider', async () => {
      const { store, ask, insert, add, consent } = setUp();
      const first = await consent(await add(attemptOf('first', ofSession('a'))));
      const second = attemptOf('second', ofSession('a', { version: 7 }));
      expect(await ask(insert(second, first))).toEqual({
        kind: 'inserted',
        superseded: first,
        evicted: undefined,
      });
      expect(await ask(store.get(first.key))).toEqual(failed(first, 'superseded', 7));
      expect(await ask(store.byState('state first'))).toMatchObject({ outcome: { failure: 'superseded' } });
      expect(await ask(store.byCookie('cookie first'))).toBeUndefined();
      expect(await ask(store.latest(first.snapshot.ref, 'idp'))).toEqual(second);
      expect(await ask(store.pendingOf(first.snapshot.ref))).toEqual([second]);
    });

    it('supersedes only the login that it is told to', async () => {
      const { store, ask, insert, add, fail } = setUp();
      const first = await add(attemptOf('first', ofSession('a')));
      const second = attemptOf('second', ofSession('a'));
      expect(await ask(insert(second))).toEqual({ kind: 'changed' });
      expect(await ask(insert(second, attemptOf('another')))).toEqual({ kind: 'changed' });
      await fail(first);
      expect(await ask(insert(second, first))).toEqual({ kind: 'changed' });
      expect(await ask(store.pending())).toEqual([]);
      await add(second);
    });

    it('adds one of many logins of a session at a provider', async () => {
      const { store, ask, askAll, insert } = setUp();
      const attempts = Array.from({ length: 20 }, (_, index) => attemptOf(`${index}`, ofSession('a')));
      const insertions = await askAll(attempts.map((attempt) => insert(attempt)));
      const added = attempts.filter((_, index) => insertions[index]?.kind === 'inserted');
      expect(added).toHaveLength(1);
      expect(await ask(store.pending())).toEqual(added);
    });

    it('evicts the oldest login without a consent when it is full [security 41]', async () => {
      const { store, ask, insert, add, consent } = setUp({ maxAttempts: 5 });
      await consent(await add(attemptOf('first')));
      const second = await add(attemptOf('second'));
      for (const id of ['third', 'fourth', 'fifth']) await add(attemptOf(id));
      const sixth = attemptOf('sixth', { version: 7 });
      expect(await ask(insert(sixth))).toEqual({ kind: 'inserted', superseded: undefined, evicted: second });
      expect(await ask(store.get(second.key))).toEqual(failed(second, 'evicted', 7));
      expect(await ask(store.latest(second.snapshot.ref, 'idp'))).toMatchObject({ isReported: false });
      expect(await ask(store.pending())).toHaveLength(5);
    });

    it('evicts none for a login that supersedes one', async () => {
      const { ask, insert, add } = setUp({ maxAttempts: 2 });
      const first = await add(attemptOf('first'));
      const second = await add(attemptOf('second'));
      const next = attemptOf('third', { snapshot: second.snapshot });
      expect(await ask(insert(next, second))).toMatchObject({ superseded: second, evicted: undefined });
      expect(await ask(insert(attemptOf('fourth')))).toMatchObject({ evicted: first });
    });

    it('evicts none as without a consent while its code is redeemed [security 41]', async () => {
      const { ask, insert, add, change, consent } = setUp({ maxAttempts: 3 });
      const first = await consent(await add(attemptOf('first')));
      await change(taken(first, 3), first.version);
      const second = await add(attemptOf('second'));
      await add(attemptOf('third'));
      expect(await ask(insert(attemptOf('fourth')))).toMatchObject({ evicted: second });
    });

    const FLOOD = ['flood 0', 'flood 1', 'flood 2', 'flood 3'];
    it.each<[consents: readonly string[], quotaKey: string, evicted: string | undefined]>([
      [[], 'few', 'flood 0'],
      [[], 'a third', 'flood 0'],
      [[], 'many', 'flood 0'],
      [['flood 0', 'flood 2', 'flood 3'], 'few', 'flood 1'],
      // A flooding client may consent to all of its logins.
      [FLOOD, 'few', 'flood 0'],
      [FLOOD, 'many', 'early'],
      [[...FLOOD, 'early'], 'few', 'flood 0'],
      [[...FLOOD, 'early'], 'many', undefined],
    ])(
      'evicts from the address with the most logins: %j consented, for %s [security 41]',
      async (consents, quotaKey, evicted) => {
        const { store, ask, insert, add, consent } = setUp({ maxAttempts: 5 });
        const early = await add(attemptOf('early', { quotaKey: 'few' }));
        const flood: PendingAttempt[] = [];
        for (const id of FLOOD) flood.push(await add(attemptOf(id, { quotaKey: 'many' })));
        for (const attempt of [early, ...flood]) if (consents.includes(attempt.id)) await consent(attempt);
        const insertion = await ask(insert(attemptOf('new', { quotaKey })));
        if (evicted === undefined) expect(insertion).toEqual({ kind: 'full' });
        else expect(insertion).toMatchObject({ kind: 'inserted', evicted: { id: evicted } });
        expect(await ask(store.pending())).toHaveLength(5);
      },
    );

    it('exceeds no limit, and ends each login once, however many are added at once [security 41]', async () => {
      const { store, ask, askAll, insert } = setUp({ maxAttempts: 8, maxPerSession: 2 });
      const attempts = Array.from({ length: 60 }, (_, index) =>
        attemptOf(
          `${index}`,
          ofSession(`${index % 6}`, { provider: `${index % 5}`, quotaKey: `${index % 3}` }),
        ),
      );
      const insertions = await askAll(attempts.map((attempt) => insert(attempt)));
      const added = attempts.filter((_, index) => insertions[index]?.kind === 'inserted');
      const ended = insertions.flatMap((insertion) =>
        insertion.kind === 'inserted' ? [insertion.superseded ?? [], insertion.evicted ?? []].flat() : [],
      );
      const pending = await ask(store.pending());
      expect(pending.length).toBeLessThanOrEqual(8);
      expect([...pending, ...ended].map(({ id }) => id).sort()).toEqual(added.map(({ id }) => id).sort());
      for (let session = 0; session < 6; session++)
        expect((await ask(store.pendingOf(`${session}` as SessionRef))).length).toBeLessThanOrEqual(2);
    });

    it('finds a login by the state of its latest consent only, open or not [security 12, 15]', async () => {
      const { store, ask, add, consent, change, fail } = setUp();
      const earlier = await consent(await add(attemptOf('first')), 'earlier');
      const later = await consent(earlier, 'later');
      expect(await ask(store.byState('state earlier'))).toBeUndefined();
      expect(await ask(store.byState('state later'))).toEqual(later);
      const used = await change(taken(later, 9), later.version);
      expect(await ask(store.byState('state later'))).toEqual(used);
      const ended = await fail(used);
      expect(await ask(store.byState('state later'))).toEqual(ended);
    });

    it('finds a login by its cookie while its consent is open', async () => {
      const { store, ask, add, consent, change } = setUp();
      const earlier = await consent(await add(attemptOf('first')), 'earlier');
      const later = await consent(earlier, 'later');
      expect(await ask(store.byCookie('cookie earlier'))).toBeUndefined();
      expect(await ask(store.byCookie('cookie later'))).toEqual(later);
      await change(taken(later, 9), later.version);
      expect(await ask(store.byCookie('cookie later'))).toBeUndefined();
    });

    it('makes one of many changes of the same version, so that a state is used once [security 12]', async () => {
      const { store, ask, askAll, add, consent } = setUp();
      const open = await consent(await add(attemptOf('first')));
      const uses = Array.from({ length: 20 }, (_, index) =>
        store.replace(taken(open, 100 + index), open.version),
      );
      const used = await askAll(uses);
      expect(used.filter(Boolean)).toHaveLength(1);
      expect(await ask(store.get(open.key))).toEqual(taken(open, 100 + used.indexOf(true)));
      expect(await ask(store.replace(open, open.version))).toBe(false);
    });

    it('ends a login once: as failed, or as complete', async () => {
      const { store, ask, askAll, add } = setUp();
      const attempt = await add(attemptOf('first'));
      const ends = Array.from({ length: 20 }, (_, index) =>
        index % 2 === 0
          ? store.replace(failed(attempt, 'expired', 100 + index), attempt.version)
          : store.remove(attempt.key, attempt.version),
      );
      const ended = await askAll(ends);
      expect(ended.filter(Boolean)).toHaveLength(1);
      expect(await ask(store.pending())).toEqual([]);
      const isFailed = ended.indexOf(true) % 2 === 0;
      expect((await ask(store.get(attempt.key)))?.outcome?.failure).toBe(isFailed ? 'expired' : undefined);
    });

    it('makes no failed login pending or complete', async () => {
      const { store, ask, add, fail } = setUp();
      const attempt = await add(attemptOf('first'));
      const ended = await fail(attempt);
      expect(await ask(store.replace({ ...attempt, version: 9 }, ended.version))).toBe(false);
      expect(await ask(store.remove(attempt.key, ended.version))).toBe(false);
      expect(await ask(store.get(attempt.key))).toEqual(ended);
    });

    it('forgets a login that is complete', async () => {
      const { store, ask, add, consent } = setUp();
      const attempt = await consent(await add(attemptOf('first')));
      expect(await ask(store.remove(attempt.key, attempt.version - 1))).toBe(false);
      expect(await ask(store.remove(attempt.key, attempt.version))).toBe(true);
      const { ref } = attempt.snapshot;
      const found = [
        store.get(attempt.key),
        store.byState('state first'),
        store.byCookie('cookie first'),
        store.latest(ref, 'idp'),
      ];
      expect(await ask(Promise.all(found))).toEqual([undefined, undefined, undefined, undefined]);
      expect(await ask(store.pendingOf(ref))).toEqual([]);
      expect(await ask(store.replace({ ...attempt, version: 9 }, attempt.version))).toBe(false);
    });

    it('keeps a failed login for ten minutes, with digests only', async () => {
      const { store, clock, ask, add, consent, fail } = setUp();
      const attempt = await consent(await add(attemptOf('first')));
      const ended = await fail(attempt, 'declined');
      expect(Object.values(ended)).not.toContain('first');
      await clock.advance(FAILED_LOGIN_KEPT_MS - MINUTE_MS);
      expect(await ask(store.get(attempt.key))).toEqual(ended);
      expect(await ask(store.latest(attempt.snapshot.ref, 'idp'))).toEqual(ended);
      await clock.advance(MINUTE_MS);
      expect(await ask(store.get(attempt.key))).toBeUndefined();
      expect(await ask(store.byState('state first'))).toBeUndefined();
      expect(await ask(store.latest(attempt.snapshot.ref, 'idp'))).toBeUndefined();
    });

    it('keeps a failed login no longer when it is reported', async () => {
      const { store, clock, ask, add, change, fail } = setUp();
      const ended = await fail(await add(attemptOf('first')), 'declined');
      await clock.advance(FAILED_LOGIN_KEPT_MS - MINUTE_MS);
      const reported = await change({ ...ended, version: 9, isReported: true }, ended.version);
      expect(await ask(store.replace({ ...ended, version: 10 }, ended.version))).toBe(false);
      expect(await ask(store.get(ended.key))).toEqual(reported);
      await clock.advance(MINUTE_MS);
      expect(await ask(store.get(ended.key))).toBeUndefined();
    });

    it('forgets the oldest failed logins above 4,096 [security 40]', async () => {
      const { store, ask, inBatches, add, fail, insert } = setUp({ maxAttempts: 2 * MAX_FAILED_LOGINS });
      const oldest = await add(attemptOf('oldest'));
      await fail(oldest);
      const others = Array.from({ length: MAX_FAILED_LOGINS }, (_, index) => attemptOf(`${index}`));
      await inBatches(others, (other) => insert(other));
      await inBatches(others, (other) => store.replace(failed(other, 'expired', 2), other.version));
      expect(await ask(store.get(oldest.key))).toBeUndefined();
      expect(await ask(store.latest(oldest.snapshot.ref, 'idp'))).toBeUndefined();
      const kept = await inBatches(others, ({ key }) => store.get(key));
      expect(kept.filter(Boolean)).toHaveLength(MAX_FAILED_LOGINS);
    });

    it('hands a login over when it is due, and again until its due time is set or it ends', async () => {
      const { store, clock, add, change, fail } = setUp();
      const due: string[] = [];
      store.consumeDue((key) => due.push(key));
      const attempt = await add(attemptOf('first', { dueAtMs: 60_000 }));
      await clock.advance(58_000 - clock.now());
      expect(due).toEqual([]);
      await clock.advance(4000);
      expect(due).toEqual([attempt.key]);
      await clock.advance(6000);
      expect(due).toEqual([attempt.key, attempt.key]);
      const later = await change({ ...attempt, version: 2, dueAtMs: 120_000 }, attempt.version);
      await clock.advance(118_000 - clock.now());
      expect(due).toHaveLength(2);
      await clock.advance(4000);
      expect(due).toHaveLength(3);
      await fail(later);
      await clock.advance(MINUTE_MS);
      expect(due).toHaveLength(3);
    });

    it('postpones a login that is due, without a change', async () => {
      const { store, clock, ask, add } = setUp();
      const due: string[] = [];
      const attempt = await add(attemptOf('first', { dueAtMs: 60_000 }));
      const stop = store.consumeDue((key) => due.push(key));
      await ask(store.postpone(attempt.key, 120_000));
      await ask(store.postpone(attemptKeyOf('unknown'), 10_000));
      expect(await ask(store.get(attempt.key))).toMatchObject({ version: attempt.version });
      await clock.advance(118_000 - clock.now());
      expect(due).toEqual([]);
      await clock.advance(4000);
      expect(due).toEqual([attempt.key]);
      stop();
      await clock.advance(MINUTE_MS);
      expect(due).toEqual([attempt.key]);
    });

    it('hands over no login that is complete', async () => {
      const { store, clock, ask, add } = setUp();
      const due: string[] = [];
      store.consumeDue((key) => due.push(key));
      const attempt = await add(attemptOf('first', { dueAtMs: 60_000 }));
      expect(await ask(store.remove(attempt.key, attempt.version))).toBe(true);
      await clock.advance(2 * MINUTE_MS);
      expect(due).toEqual([]);
    });
  });
}
