import { expect } from 'vitest';
import type { OneTimeStore } from '../../packages/sessions/src/limits/one-time-store.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { MaybePromise } from '../../packages/sessions/src/time/promises.js';
import { describe, it } from '../support/contract-tests.js';
import { answerOf, answersInBatches } from '../support/port-answers.js';

const MINUTE_MS = 60_000;
const QUOTA = { session: 'of alice', client: 'alice' };

/** A store, and the clock by which its names expire. */
interface CreatedOneTimeStore {
  readonly store: OneTimeStore;
  readonly clock: VirtualClock;
}

const count = (length: number) => Array.from({ length }, (_, index) => index);

/** What every store of one-time names guarantees, also when many calls come at once. */
export function describeOneTimeStore(name: string, create: () => CreatedOneTimeStore): void {
  const setUp = () => {
    const { store, clock } = create();
    const until = () => clock.now() + 10 * MINUTE_MS;
    const ask = <T>(answer: MaybePromise<T>) => answerOf(clock, answer);
    const askAll = <T>(answers: readonly MaybePromise<T>[]) => ask(Promise.all(answers));
    const inBatches = (length: number, call: (index: number) => MaybePromise<unknown>) =>
      answersInBatches(clock, count(length), call);
    const issue = (issued: string, quota = QUOTA) => store.issue(issued, quota, until());
    const use = (used: string, issuer = 'provider') => store.use({ issuer, name: used }, until());
    const redeem = (issued: string) => store.redeem(issued);
    return { store, clock, ask, askAll, inBatches, issue, use, redeem };
  };
  describe(`names that ${name} has issued`, () => {
    it('are redeemed once, by one of many callers [security 16]', async () => {
      const { ask, askAll, issue, redeem } = setUp();
      await ask(issue('a'));
      const redeemed = await askAll(count(20).map(() => redeem('a')));
      expect(redeemed.filter(Boolean)).toHaveLength(1);
      expect(await ask(redeem('a'))).toBe(false);
    });

    it('are the only ones that can be redeemed', async () => {
      const { ask, issue, redeem } = setUp();
      await ask(issue('a'));
      expect(await ask(redeem('b'))).toBe(false);
      expect(await ask(redeem('a'))).toBe(true);
    });

    it('are void from the given time on', async () => {
      const { clock, ask, issue, redeem } = setUp();
      for (const each of ['kept', 'late']) await ask(issue(each));
      await clock.advance(9 * MINUTE_MS);
      expect(await ask(redeem('kept'))).toBe(true);
      await clock.advance(MINUTE_MS);
      expect(await ask(redeem('late'))).toBe(false);
    });

    it('are a hundred of a session at most, and the oldest of its own is void [security 41]', async () => {
      const { ask, issue, redeem } = setUp();
      for (const each of ['first', 'second']) await ask(issue(each));
      await ask(issue('of another session', { session: 'of bob', client: 'bob' }));
      for (const index of count(99)) await ask(issue(`further ${index}`));
      expect(await ask(redeem('first'))).toBe(false);
      expect(await ask(redeem('second'))).toBe(true);
      expect(await ask(redeem('of another session'))).toBe(true);
    });

    it('are 10,000 at most, and the oldest of the client with the most is void [security 41]', async () => {
      const { ask, inBatches, issue, redeem } = setUp();
      await ask(issue('hers'));
      const flood = (index: number) =>
        issue(`flood ${index}`, { session: `session ${index}`, client: 'attacker' });
      await ask(flood(0));
      await inBatches(9998, (index) => flood(index + 1));
      await ask(flood(9999));
      expect(await ask(redeem('flood 0'))).toBe(false);
      expect(await ask(redeem('flood 9999'))).toBe(true);
      expect(await ask(redeem('hers'))).toBe(true);
    });
  });

  describe(`used names in ${name}`, () => {
    it('are new to one of many callers', async () => {
      const { ask, askAll, use } = setUp();
      const first = await askAll(count(20).map(() => use('a')));
      expect(first.filter(Boolean)).toHaveLength(1);
      expect(await ask(use('b'))).toBe(true);
    });

    it('are remembered until the given time', async () => {
      const { clock, ask, use } = setUp();
      await ask(use('a'));
      await clock.advance(9 * MINUTE_MS);
      expect(await ask(use('a'))).toBe(false);
      await clock.advance(MINUTE_MS);
      expect(await ask(use('a'))).toBe(true);
      expect(await ask(use('a'))).toBe(false);
    });

    it('are new again after their release', async () => {
      const { store, ask, use } = setUp();
      await ask(use('a'));
      await ask(store.release({ issuer: 'provider', name: 'a' }));
      await ask(store.release({ issuer: 'provider', name: 'never used' }));
      expect(await ask(use('a'))).toBe(true);
      expect(await ask(use('a'))).toBe(false);
    });

    it('are 10,000 of an issuer at most, and an issuer makes no other forget its own', async () => {
      const { ask, inBatches, use } = setUp();
      expect(await ask(use('first'))).toBe(true);
      await ask(use('first', 'another provider'));
      await inBatches(9999, (index) => use(`${index}`));
      expect(await ask(use('first'))).toBe(false);
      expect(await ask(use('one more'))).toBe(true);
      expect(await ask(use('first'))).toBe(true);
      expect(await ask(use('first', 'another provider'))).toBe(false);
    });

    it('have nothing in common with names that were issued', async () => {
      const { ask, issue, use, redeem } = setUp();
      await ask(issue('a'));
      expect(await ask(use('a'))).toBe(true);
      expect(await ask(redeem('a'))).toBe(true);
    });
  });
}
