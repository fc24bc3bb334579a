import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  AttemptKey,
  LoginAttempt,
  PendingAttempt,
} from '../../packages/sessions/src/login/attempt-record.js';
import {
  type AttemptInsertion,
  type AttemptLimits,
  FAILED_LOGIN_KEPT_MS,
} from '../../packages/sessions/src/login/attempt-store.js';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { MapAttemptStore } from '../../packages/sessions/src/store/map-attempt-store.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { Deadlines } from '../../packages/sessions/src/time/deadlines.js';
import { attemptOf, consented, failed, taken } from '../contracts/attempt-store-contract.js';

const LIMITS: AttemptLimits = { maxPerSession: 2, maxAttempts: 5 };
const SESSIONS = ['a', 'b', 'c', 'd'].map((ref) => ref as SessionRef);
const PROVIDERS = ['x', 'y', 'z'];

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('insert' as const),
      ref: fc.constantFrom(...SESSIONS),
      provider: fc.constantFrom(...PROVIDERS),
      quotaKey: fc.constantFrom('one', 'two'),
      // Whether it replaces the pending one, or believes that there is none.
      replaces: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('consent', 'take', 'fail', 'report', 'complete'),
      // Which of the attempts so far.
      which: fc.nat({ max: 30 }),
      fits: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat({ max: FAILED_LOGIN_KEPT_MS }) }),
  },
);

interface Entry {
  attempt: LoginAttempt;
  untilMs: number;
}

/** A store as plain as its contract: a list that is searched. */
class PlainStore {
  entries: Entry[] = [];
  nowMs = 0;

  get found(): Entry[] {
    return this.entries.filter(({ untilMs }) => untilMs > this.nowMs);
  }

  get pending(): PendingAttempt[] {
    return this.found.flatMap(({ attempt }) => (attempt.outcome ? [] : [attempt]));
  }

  find(matches: (attempt: LoginAttempt) => boolean): LoginAttempt | undefined {
    return this.found.find(({ attempt }) => matches(attempt))?.attempt;
  }

  /** The one that was added last, if it is still there. */
  latest(ref: SessionRef, provider: string): LoginAttempt | undefined {
    const last = this.entries.findLast(
      ({ attempt }) => attempt.snapshot.ref === ref && attempt.provider === provider,
    );
    return last && last.untilMs > this.nowMs ? last.attempt : undefined;
  }

  insert(attempt: PendingAttempt, replaces: AttemptKey | undefined): AttemptInsertion {
    const { snapshot, provider, quotaKey, version } = attempt;
    const ofSession = this.pending.filter((each) => each.snapshot.ref === snapshot.ref);
    const superseded = ofSession.find((each) => each.provider === provider);
    if (superseded?.key !== replaces) return { kind: 'changed' };
    if (ofSession.filter((each) => each !== superseded).length >= LIMITS.maxPerSession)
      return { kind: 'session_full' };
    const isFull = !superseded && this.pending.length >= LIMITS.maxAttempts;
    const evicted = isFull ? this.victimFor(quotaKey) : undefined;
    if (isFull && !evicted) return { kind: 'full' };
    if (superseded) this.set(failed(superseded, 'superseded', version));
    if (evicted) this.set(failed(evicted, 'evicted', version));
    this.entries.push({ attempt, untilMs: Number.POSITIVE_INFINITY });
    return { kind: 'inserted', superseded, evicted };
  }

  victimFor(quotaKey: string): PendingAttempt | undefined {
    const of = (key: string) => this.pending.filter((attempt) => attempt.quotaKey === key);
    const [one, two] = [of('one'), of('two')];
    // With five attempts and two quota keys there is one largest share.
    const largest = one.length > two.length ? one : two;
    const isOpen = (attempt: PendingAttempt) => attempt.lastTransaction === undefined;
    const own = largest.find(isOpen);
    if (own) return own;
    return largest.length > of(quotaKey).length + 1 ? largest[0] : this.pending.find(isOpen);
  }

  set(next: LoginAttempt): void {
    const entry = this.entries.find(({ attempt }) => attempt.key === next.key);
    if (!entry) return;
    if (next.outcome && !entry.attempt.outcome) entry.untilMs = this.nowMs + FAILED_LOGIN_KEPT_MS;
    entry.attempt = next;
  }

  replace(next: LoginAttempt, ifVersion: number): boolean {
    const current = this.find(({ key }) => key === next.key);
    if (current?.version !== ifVersion || (current.outcome && !next.outcome)) return false;
    this.set(next);
    return true;
  }

  remove({ key }: LoginAttempt, ifVersion: number): boolean {
    const current = this.find((attempt) => attempt.key === key);
    if (current?.version !== ifVersion || current.outcome) return false;
    // It stays the one that was added last.
    for (const entry of this.entries) if (entry.attempt.key === key) entry.untilMs = 0;
    return true;
  }
}

describe('the attempt store of maps', () => {
  it('answers as a list does that is searched, whatever it is asked [security 12, 41]', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (sequence) => {
        const clock = new VirtualClock();
        const store = new MapAttemptStore({ clock, deadlines: new Deadlines(clock, () => undefined) });
        const plain = new PlainStore();
        const all: PendingAttempt[] = [];
        let version = 0;
        for (const asked of sequence) {
          version++;
          if (asked.kind === 'wait') {
            await clock.advance(asked.ms);
            plain.nowMs = clock.now();
          } else if (asked.kind === 'insert') {
            const { ref, provider, quotaKey } = asked;
            const pending = plain.pending.find(
              (each) => each.snapshot.ref === ref && each.provider === provider,
            );
            const replaces = asked.replaces ? pending?.key : undefined;
            const attempt = attemptOf(`${version}`, {
              snapshot: { ref, epoch: 0 },
              provider,
              quotaKey,
              version,
            });
            all.push(attempt);
            expect(store.insert(attempt, replaces, LIMITS)).toEqual(plain.insert(attempt, replaces));
          } else {
            const named = all[asked.which % Math.max(all.length, 1)];
            if (!named) continue;
            const current = plain.find(({ key }) => key === named.key) ?? named;
            const ifVersion = asked.fits ? current.version : current.version - 1;
            if (asked.kind === 'complete') {
              expect(store.remove(current.key, ifVersion)).toBe(plain.remove(current, ifVersion));
            } else {
              const next = nextOf(asked.kind, current, version);
              expect(store.replace(next, ifVersion)).toBe(plain.replace(next, ifVersion));
            }
          }
          const versions = Array.from({ length: version }, (_, index) => index + 1);
          expect(foundIn(store, all, versions)).toEqual(expectedIn(plain, all, versions));
        }
      }),
    );
  });
});

function nextOf(kind: string, current: LoginAttempt, version: number): LoginAttempt {
  if (current.outcome) return { ...current, version, isReported: true };
  if (kind === 'consent') return consented(current, `${version}`, version);
  if (kind === 'take') return taken(current, version);
  return failed(current, 'declined', version);
}

/** What a store finds, in every way to find an attempt. */
interface Found {
  readonly pending: readonly PendingAttempt[];
  readonly byKey: readonly unknown[];
  readonly latest: readonly unknown[];
  readonly pendingOf: readonly (readonly string[])[];
  readonly byState: readonly unknown[];
  readonly byCookie: readonly unknown[];
}

const SLOTS = SESSIONS.flatMap((ref) => PROVIDERS.map((provider) => ({ ref, provider })));
const idsOf = (attempts: readonly PendingAttempt[]) => attempts.map(({ id }) => id).sort();

function foundIn(store: MapAttemptStore, all: readonly PendingAttempt[], versions: readonly number[]): Found {
  return {
    pending: store.pending(),
    byKey: all.map(({ key }) => store.get(key)),
    latest: SLOTS.map(({ ref, provider }) => store.latest(ref, provider)),
    pendingOf: SESSIONS.map((ref) => idsOf(store.pendingOf(ref))),
    byState: versions.map((version) => store.byState(`state ${version}`)),
    byCookie: versions.map((version) => store.byCookie(`cookie ${version}`)),
  };
}

function expectedIn(plain: PlainStore, all: readonly PendingAttempt[], versions: readonly number[]): Found {
  return {
    pending: plain.pending,
    byKey: all.map(({ key }) => plain.find((attempt) => attempt.key === key)),
    latest: SLOTS.map(({ ref, provider }) => plain.latest(ref, provider)),
    pendingOf: SESSIONS.map((ref) => idsOf(plain.pending.filter(({ snapshot }) => snapshot.ref === ref))),
    byState: versions.map((version) =>
      plain.find(({ lastTransaction }) => lastTransaction?.stateDigest === `state ${version}`),
    ),
    byCookie: versions.map((version) =>
      plain.find((attempt) => !attempt.outcome && attempt.transaction?.cookieDigest === `cookie ${version}`),
    ),
  };
}
