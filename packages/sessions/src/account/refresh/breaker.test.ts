import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Secret } from '../../vault/secret.js';
import { CircuitBreaker } from './breaker.js';
import type { RefreshOutcome } from './granted-tokens.js';

const SECOND = 1000;
const cause = new Error('the reason');
const unavailable = { kind: 'unavailable', retryAfterSeconds: undefined, cause } as const;
const lost = { kind: 'lost', cause } as const;
const refused = { kind: 'refused', retryAfterSeconds: undefined, cause } as const;
const revoked = { kind: 'grant_revoked' } as const;

function granted(): RefreshOutcome {
  const tokens = { accessToken: Secret.fromString('access'), refreshToken: undefined };
  return {
    kind: 'granted',
    granted: {
      tokens,
      requestedAtMs: 0,
      expiresInSeconds: undefined,
      scopes: undefined,
      identity: undefined,
    },
  };
}

/** A breaker in front of a provider whose answers are in the hands of the test. */
function setUp() {
  const clock = new VirtualClock();
  const breaker = new CircuitBreaker(clock);
  const asked: ((outcome: RefreshOutcome) => void)[] = [];
  const start = () => breaker.run(() => new Promise((answer) => asked.push(answer)));
  /** Asks, and has it answered like that if it gets through. */
  const refresh = async (outcome: RefreshOutcome) => {
    const before = asked.length;
    const asking = start();
    await clock.advance(0);
    if (asked.length > before) asked.at(-1)?.(outcome);
    return asking;
  };
  const fail = async (times: number, outcome: RefreshOutcome = unavailable) => {
    for (let time = 0; time < times; time++) await refresh(outcome);
  };
  return { clock, breaker, asked, start, refresh, fail };
}

describe('a circuit breaker', () => {
  it('lets requests through, side by side, and hands back what came of them', async () => {
    const { asked, start, clock } = setUp();
    const both = [start(), start()];
    await clock.advance(0);
    expect(asked).toHaveLength(2);
    asked[1]?.(revoked);
    asked[0]?.(lost);
    expect(await Promise.all(both)).toEqual([lost, revoked]);
  });

  it.each([
    ['unavailable', unavailable],
    ['lost', lost],
  ])('opens for 30 seconds after five failures in a row: %s [security 20]', async (_kind, outcome) => {
    const { clock, asked, refresh, fail } = setUp();
    await fail(4, outcome);
    expect(await refresh(outcome)).toBe(outcome);
    expect(asked).toHaveLength(5);
    expect(await refresh(granted())).toMatchObject({ kind: 'unavailable', retryAfterSeconds: 30 });
    await clock.advance(30 * SECOND - 1);
    expect(await refresh(granted())).toMatchObject({ kind: 'unavailable', retryAfterSeconds: 0.001 });
    expect(asked).toHaveLength(5);
    await clock.advance(1);
    expect(await refresh(granted())).toMatchObject({ kind: 'granted' });
  });

  it.each([
    ['granted', granted()],
    ['refused because the grant is dead', revoked],
  ])('counts failures anew after an answer that shows a provider at work: %s', async (_kind, answer) => {
    const { asked, refresh, fail } = setUp();
    await fail(4);
    await refresh(answer);
    await fail(4);
    await refresh(granted());
    expect(asked).toHaveLength(10);
  });

  it('half open, lets one request through, and the others wait for its outcome [security 20]', async () => {
    const { clock, asked, start, fail } = setUp();
    await fail(5);
    await clock.advance(30 * SECOND);
    const waiting = Array.from({ length: 10 }, start);
    await clock.advance(10 * SECOND);
    expect(asked).toHaveLength(6);
    asked[5]?.(granted());
    await clock.advance(0);
    expect(asked).toHaveLength(15);
    for (const answer of asked.slice(6)) answer(granted());
    expect((await Promise.all(waiting)).every(({ kind }) => kind === 'granted')).toBe(true);
  });

  it.each([
    ['unavailable', unavailable],
    ['lost', lost],
  ])(
    'half open, rejects all refreshes for 30 more seconds when its probe fails: %s',
    async (_kind, outcome) => {
      const { clock, asked, start, refresh, fail } = setUp();
      await fail(5);
      await clock.advance(30 * SECOND);
      const waiting = Array.from({ length: 10 }, start);
      await clock.advance(2 * SECOND);
      asked[5]?.(outcome);
      const outcomes = await Promise.all(waiting);
      expect(outcomes[0]).toBe(outcome);
      expect(outcomes.slice(1)).toEqual(
        outcomes.slice(1).map(() => expect.objectContaining({ kind: 'unavailable', retryAfterSeconds: 30 })),
      );
      expect(asked).toHaveLength(6);
      await clock.advance(30 * SECOND);
      await refresh(unavailable);
      expect(asked).toHaveLength(7);
      // One failure more is enough to keep it open: nothing has shown that the provider works.
      await refresh(unavailable);
      expect(asked).toHaveLength(7);
    },
  );

  it('stays closed however many accounts a provider refuses, and closes when it refuses one', async () => {
    const { clock, asked, refresh, fail } = setUp();
    await fail(20, refused);
    expect(await refresh(granted())).toMatchObject({ kind: 'granted' });
    await fail(5);
    await clock.advance(30 * SECOND);
    expect(await refresh(refused)).toBe(refused);
    expect(await refresh(granted())).toMatchObject({ kind: 'granted' });
    expect(asked).toHaveLength(28);
  });

  it('holds back as long as the provider asks, whatever it answers to others meanwhile [security 20]', async () => {
    const { clock, asked, start, refresh } = setUp();
    const slow = start();
    await refresh({ ...unavailable, retryAfterSeconds: 60 });
    asked[0]?.(granted());
    await slow;
    expect(await refresh(granted())).toMatchObject({ kind: 'unavailable', retryAfterSeconds: 60 });
    await clock.advance(60 * SECOND);
    expect(await refresh(granted())).toMatchObject({ kind: 'granted' });
  });

  it('sends no request if the final check objects', async () => {
    const { asked, breaker } = setUp();
    const objection = { kind: 'unwanted' } as const;
    const refresh = () => Promise.reject(new Error('asked'));
    expect(await breaker.run(refresh, () => Promise.resolve(objection))).toBe(objection);
    expect(await breaker.runAnyway(refresh, () => Promise.resolve(objection))).toBe(objection);
    expect(asked).toHaveLength(0);
  });

  it('goes on when a probe throws', async () => {
    const { clock, breaker, refresh, fail } = setUp();
    await fail(5);
    await clock.advance(30 * SECOND);
    await expect(breaker.run(() => Promise.reject(new Error('bug')))).rejects.toThrow('bug');
    expect(await refresh(granted())).toMatchObject({ kind: 'granted' });
  });

  it.each([1, 8, 3600])(
    'rejects all refreshes as long as the provider asks: %i s [security 20]',
    async (asks) => {
      const { clock, asked, refresh } = setUp();
      await refresh({ ...unavailable, retryAfterSeconds: asks });
      expect(await refresh(granted())).toMatchObject({ kind: 'unavailable', retryAfterSeconds: asks });
      await clock.advance(asks * SECOND - 1);
      await refresh(granted());
      expect(asked).toHaveLength(1);
      await clock.advance(1);
      expect(await refresh(granted())).toMatchObject({ kind: 'granted' });
    },
  );

  it('holds back for the longer of what the provider asks and its own 30 seconds', async () => {
    const { asked, refresh, fail } = setUp();
    await fail(4);
    await refresh({ ...unavailable, retryAfterSeconds: 2 });
    expect(await refresh(granted())).toMatchObject({ retryAfterSeconds: 30 });
    expect(asked).toHaveLength(5);
    const other = setUp();
    await other.fail(4);
    await other.refresh({ ...refused, retryAfterSeconds: 90 });
    expect(await other.refresh(granted())).toMatchObject({ retryAfterSeconds: 90 });
  });

  it('does not wait less because a request that was sent before fails later', async () => {
    const { clock, asked, start, refresh } = setUp();
    const slow = start();
    await refresh({ ...unavailable, retryAfterSeconds: 60 });
    asked[0]?.({ ...unavailable, retryAfterSeconds: 1 });
    await slow;
    expect(await refresh(granted())).toMatchObject({ retryAfterSeconds: 60 });
    await clock.advance(60 * SECOND);
    expect(await refresh(granted())).toMatchObject({ kind: 'granted' });
  });

  it('closes as soon as the provider has shown elsewhere that it answers', async () => {
    const { asked, breaker, refresh, fail } = setUp();
    await fail(5);
    breaker.succeeded();
    await fail(4);
    expect(await refresh(granted())).toMatchObject({ kind: 'granted' });
    expect(asked).toHaveLength(10);
  });
});
