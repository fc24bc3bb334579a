import { expect } from 'vitest';
import { RefreshClaim } from '../../packages/sessions/src/account/refresh/refresh-claim.js';
import { benchNodes } from '../support/bench-nodes.js';
import { describe, it } from '../support/contract-tests.js';
import { SeededRandom } from '../support/seeded-random.js';
import { SessionBench, type SessionBenchOptions, type SessionBenchParts } from '../support/session-bench.js';

const SECOND = 1000;

/** What each refresh claim promises over a session store. */
export function describeRefreshClaims(name: string, options: () => SessionBenchOptions): void {
  describe(`refresh claims over ${name}`, () => {
    async function setUp() {
      const random = new SeededRandom(1).bytes;
      const bench = new SessionBench({ random, ...options() });
      // Answers of a store that is late need the clock.
      const settled = async <T>(promise: Promise<T>): Promise<T> => {
        let isDone = false;
        const done = promise.finally(() => {
          isDone = true;
        });
        for (let step = 0; !isDone && step < 1000; step++) await bench.clock.advance(10);
        return done;
      };
      const { record } = await settled(bench.loggedIn('alice'));
      let skewMs = 0;
      let failedOverAtMs = Number.NEGATIVE_INFINITY;
      const claim = (generation = 1) =>
        new RefreshClaim(
          {
            registry: bench.registry,
            clock: bench.clock,
            wallNow: () => bench.clock.now() + skewMs,
            random,
            failedOverAtMs: () => failedOverAtMs,
            onError: (error) => void bench.errors.push(error),
          },
          { ref: record.ref, provider: 'idp', generation },
        );
      const account = async () => (await settled(Promise.resolve(bench.store.get(record.ref))))?.accounts.idp;
      const take = (of: RefreshClaim) => settled(of.take());
      const skew = (ms: number) => {
        skewMs += ms;
      };
      const failOver = () => {
        failedOverAtMs = bench.clock.now();
      };
      return { bench, record, claim, account, take, settled, skew, failOver };
    }

    it('are taken by one of many refreshes [security 17, 52]', async () => {
      const { claim, settled } = await setUp();
      const taken = await settled(Promise.all(Array.from({ length: 5 }, () => claim().take())));
      expect(taken.map(({ kind }) => kind).sort()).toEqual(['claimed', 'held', 'held', 'held', 'held']);
    });

    it('end after a minute and the expiry of the access token, and the next one is ambiguous [security 20, 52]', async () => {
      const { bench, claim, account, take } = await setUp();
      expect(await take(claim())).toMatchObject({ kind: 'claimed' });
      expect((await account())?.claim?.untilMs).toBe((await account())?.expiresAtMs);
      const later = claim();
      await bench.clock.advance(590 * SECOND);
      expect(await take(later)).toMatchObject({ kind: 'held' });
      await bench.clock.advance(11 * SECOND);
      expect(await take(later)).toMatchObject({ kind: 'claimed' });
      expect(later.isAmbiguous).toBe(true);
      expect(((await account())?.claim?.untilMs ?? 0) - bench.clock.now()).toBeGreaterThan(50 * SECOND);
    });

    it('are taken again by the same refresh, which is not ambiguous', async () => {
      const { claim, take } = await setUp();
      const own = claim();
      expect([(await take(own)).kind, (await take(own)).kind, own.isAmbiguous]).toEqual([
        'claimed',
        'claimed',
        false,
      ]);
    });

    it('are free at once after a release, which leaves those of others alone', async () => {
      const { claim, take, settled } = await setUp();
      const [first, second] = [claim(), claim()];
      await take(first);
      await settled(second.release());
      expect(await take(second)).toMatchObject({ kind: 'held' });
      await settled(first.release());
      expect(await take(second)).toMatchObject({ kind: 'claimed' });
      expect(second.isAmbiguous).toBe(false);
    });

    it('are free at once after the release of one that was ambiguous, and ambiguous again [security 20]', async () => {
      const { bench, claim, take, settled } = await setUp();
      await take(claim());
      await bench.clock.advance(601 * SECOND);
      const [second, third] = [claim(), claim()];
      await take(second);
      await settled(second.release());
      expect(await take(third)).toMatchObject({ kind: 'claimed' });
      expect(third.isAmbiguous).toBe(true);
    });

    it('are not taken for ten seconds after a failover, except again by the same refresh [security 52]', async () => {
      const { bench, claim, take, settled, failOver } = await setUp();
      const [own, other] = [claim(), claim()];
      await take(own);
      failOver();
      expect(await take(own)).toMatchObject({ kind: 'claimed' });
      await settled(own.release());
      expect(await take(other)).toMatchObject({ kind: 'unsettled' });
      await bench.clock.advance(10 * SECOND);
      expect(await take(other)).toMatchObject({ kind: 'claimed' });
    });

    it('are not taken over for a minute after a failover [security 52]', async () => {
      const { bench, claim, take, failOver } = await setUp();
      await take(claim());
      await bench.clock.advance(601 * SECOND);
      const later = claim();
      failOver();
      const untilMs = bench.clock.now() + 60 * SECOND;
      expect(await take(later)).toEqual({ kind: 'unsettled', untilMs });
      await bench.clock.advance(55 * SECOND);
      expect(await take(later)).toMatchObject({ kind: 'unsettled' });
      await bench.clock.advance(5 * SECOND);
      expect(await take(later)).toMatchObject({ kind: 'claimed' });
      expect(later.isAmbiguous).toBe(true);
    });

    it('are not wanted for another generation, or after a sign-out [security 22]', async () => {
      const { bench, record, claim, take, settled } = await setUp();
      expect(await take(claim(2))).toEqual({ kind: 'unwanted' });
      await settled(bench.registry.signOut(record.ref, 'logout'));
      expect(await take(claim())).toEqual({ kind: 'unwanted' });
    });

    it.each(['the monotonic clock', 'the wall clock'])(
      'have a fence that falls when five seconds have passed on %s [security 52]',
      async (which) => {
        const { bench, claim, take, skew } = await setUp();
        const taken = await take(claim());
        if (taken.kind !== 'claimed') throw new Error('The claim was not taken.');
        expect(taken.fence()).toBe(true);
        if (which === 'the wall clock') skew(5 * SECOND);
        else await bench.clock.advance(5 * SECOND);
        expect(taken.fence()).toBe(false);
      },
    );
  });
}

/** A refresh token that a refresh has sent. */
export interface Send {
  readonly atMs: number;
  readonly isAmbiguous: boolean;
  /** When its claim was given up, because the request used up no token; `Infinity`: never. */
  givenUpAtMs: number;
}

const MINUTE = 60 * SECOND;
const NEVER = Number.POSITIVE_INFINITY;
/** A claim is five seconds old at most when its request is sent. */
const SENT_AGAIN_AFTER_MS = 55 * SECOND;

/** Refreshes at two nodes of an engine that is late, reorders and loses messages. @returns what they have sent */
export async function claimedSends(seed: number, parts: SessionBenchParts = {}): Promise<Send[]> {
  const random = new SeededRandom(seed);
  const network = { random, delayMs: random.pick([20, 200, 600]), losses: 0.1 };
  const { clock, engine, nodes, answer } = benchNodes({ parts }, network);
  engine.isCalm = true;
  const { record } = await answer(nodes[0].loggedIn('alice'));
  engine.isCalm = false;
  const sends: Send[] = [];
  const pause = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
  const refresh = async (startsAtMs: number) => {
    await pause(startsAtMs);
    const { registry } = random.pick(nodes);
    const options = {
      registry,
      clock,
      wallNow: () => clock.now(),
      random: random.bytes,
      onError: () => undefined,
    };
    const claim = new RefreshClaim(options, { ref: record.ref, provider: 'idp', generation: 1 });
    const claimed = await claim.take().catch(() => undefined);
    await pause(random.below(6 * SECOND));
    if (claimed?.kind !== 'claimed' || !claimed.fence()) return claim.release();
    const send = { atMs: clock.now(), isAmbiguous: claim.isAmbiguous, givenUpAtMs: NEVER };
    sends.push(send);
    await pause(random.below(2 * SECOND));
    if (random.chance(0.7)) return;
    send.givenUpAtMs = clock.now();
    await claim.release();
  };
  const bursts = Array.from({ length: 12 }, (_, burst) => burst * 2 * MINUTE);
  const refreshes = bursts.flatMap((atMs) =>
    Array.from({ length: 5 }, () => refresh(atMs + random.below(3 * SECOND))),
  );
  await Promise.all([...refreshes, clock.advance(30 * MINUTE)]);
  return sends;
}

/** The sends that another one forbids: its claim was not over, or this one did not know of it. */
export function forbiddenIn(sends: readonly Send[]): Send[] {
  const mayFollow = (earlier: Send, { atMs, isAmbiguous }: Send) =>
    earlier.givenUpAtMs <= atMs || (isAmbiguous && atMs - earlier.atMs >= SENT_AGAIN_AFTER_MS);
  return sends.filter((send, index) => !sends.slice(0, index).every((earlier) => mayFollow(earlier, send)));
}
