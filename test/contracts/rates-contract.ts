import { expect } from 'vitest';
import type { Rates } from '../../packages/sessions/src/limits/rates.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { MaybePromise } from '../../packages/sessions/src/time/promises.js';
import { describe, it } from '../support/contract-tests.js';
import { answerOf } from '../support/port-answers.js';

const MINUTE_MS = 60_000;

interface CreatedRates {
  readonly rates: Rates;
  readonly clock: VirtualClock;
}

/** What every counter of rates guarantees, also when many calls come at once. */
export function describeRates(name: string, create: () => CreatedRates): void {
  const setUp = () => {
    const { rates, clock } = create();
    const ask = <T>(answer: MaybePromise<T>) => answerOf(clock, answer);
    /** How many of `tries` at the same time are allowed. */
    const taken = async (tries: number, key = 'a', limit = { name: 'logins', perMinute: 6 }) => {
      const waits = await ask(Promise.all(Array.from({ length: tries }, () => rates.take(limit, key))));
      return waits.filter((wait) => wait === undefined).length;
    };
    return { rates, clock, ask, taken };
  };
  const LOGINS = { name: 'logins', perMinute: 6 };

  describe(`rates that are counted by ${name}`, () => {
    it('allow the number at once, and as many in every minute after that [security 39]', async () => {
      const { clock, taken } = setUp();
      expect(await taken(20)).toBe(6);
      await clock.advance(MINUTE_MS);
      expect(await taken(20)).toBe(6);
    });

    it('say after how many seconds the next event is allowed', async () => {
      const { rates, clock, ask, taken } = setUp();
      expect(await ask(rates.wait(LOGINS, 'a'))).toBeUndefined();
      await taken(6);
      for (const wait of [await ask(rates.wait(LOGINS, 'a')), await ask(rates.take(LOGINS, 'a'))])
        expect(wait).toBe(10);
      await clock.advance(10_000);
      expect(await ask(rates.wait(LOGINS, 'a'))).toBeUndefined();
      expect(await taken(3)).toBe(1);
    });

    it('count for each key and each limit by itself [security 41]', async () => {
      const { taken } = setUp();
      await taken(20);
      expect(await taken(20, 'b')).toBe(6);
      expect(await taken(20, 'a', { name: 'pages', perMinute: 3 })).toBe(3);
    });

    it('are not counted by a look at the wait', async () => {
      const { rates, ask, taken } = setUp();
      for (let look = 0; look < 20; look++) await ask(rates.wait(LOGINS, 'a'));
      expect(await taken(20)).toBe(6);
    });
  });
}
