import { describe, expect, it } from 'vitest';
import type { OneTimeStore } from '../../packages/sessions/src/limits/one-time-store.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';

const MINUTE_MS = 60_000;
const QUOTA = { session: 'of alice', client: 'alice' };

/** A store, and the clock by which its names expire. */
interface CreatedOneTimeStore {
  readonly store: OneTimeStore;
  readonly clock: VirtualClock;
}

/** What every store of one-time names guarantees, also when many calls come at once. */
export function describeOneTimeStore(name: string, create: () => CreatedOneTimeStore): void {
  const setUp = () => {
    const { store, clock } = create();
    const until = () => clock.now() + 10 * MINUTE_MS;
    const issue = async (issued: string, quota = QUOTA) => store.issue(issued, quota, until());
    const use = async (used: string, issuer = 'provider') => store.use({ issuer, name: used }, until());
    return { store, clock, issue, use };
  };
  const count = (length: number) => Array.from({ length }, (_, index) => index);

  describe(`names that ${name} has issued`, () => {
    it('are redeemed once, by one of many callers [security 16]', async () => {
      const { store, issue } = setUp();
      await issue('a');
      const redeemed = await Promise.all(count(20).map(() => store.redeem('a')));
      expect(redeemed.filter(Boolean)).toHaveLength(1);
      expect(await store.redeem('a')).toBe(false);
    });

    it('are the only ones that can be redeemed', async () => {
      const { store, issue } = setUp();
      await issue('a');
      expect(await store.redeem('b')).toBe(false);
      expect(await store.redeem('a')).toBe(true);
    });

    it('are void from the given time on', async () => {
      const { store, clock, issue } = setUp();
      for (const each of ['kept', 'late']) await issue(each);
      await clock.advance(9 * MINUTE_MS);
      expect(await store.redeem('kept')).toBe(true);
      await clock.advance(MINUTE_MS);
      expect(await store.redeem('late')).toBe(false);
    });

    it('are a hundred of a session at most, and the oldest of its own is void [security 41]', async () => {
      const { store, issue } = setUp();
      for (const each of ['first', 'second']) await issue(each);
      await issue('of another session', { session: 'of bob', client: 'bob' });
      for (const index of count(99)) await issue(`further ${index}`);
      expect(await store.redeem('first')).toBe(false);
      expect(await store.redeem('second')).toBe(true);
      expect(await store.redeem('of another session')).toBe(true);
    });

    it('are 10,000 at most, and the oldest of the client with the most is void [security 41]', async () => {
      const { store, issue } = setUp();
      await issue('hers');
      const flood = (from: number, times: number) =>
        Promise.all(
          count(times).map((index) =>
            issue(`flood ${from + index}`, { session: `session ${from + index}`, client: 'attacker' }),
          ),
        );
      await flood(0, 1);
      await flood(1, 9998);
      await flood(9999, 1);
      expect(await store.redeem('flood 0')).toBe(false);
      expect(await store.redeem('flood 9999')).toBe(true);
      expect(await store.redeem('hers')).toBe(true);
    });
  });

  describe(`used names in ${name}`, () => {
    it('are new to one of many callers', async () => {
      const { use } = setUp();
      const first = await Promise.all(count(20).map(() => use('a')));
      expect(first.filter(Boolean)).toHaveLength(1);
      expect(await use('b')).toBe(true);
    });

    it('are remembered until the given time', async () => {
      const { clock, use } = setUp();
      await use('a');
      await clock.advance(9 * MINUTE_MS);
      expect(await use('a')).toBe(false);
      await clock.advance(MINUTE_MS);
      expect(await use('a')).toBe(true);
      expect(await use('a')).toBe(false);
    });

    it('are new again after their release', async () => {
      const { store, use } = setUp();
      await use('a');
      await store.release({ issuer: 'provider', name: 'a' });
      await store.release({ issuer: 'provider', name: 'never used' });
      expect(await use('a')).toBe(true);
      expect(await use('a')).toBe(false);
    });

    it('are 10,000 of an issuer at most, and an issuer makes no other forget its own', async () => {
      const { use } = setUp();
      expect(await use('first')).toBe(true);
      await use('first', 'another provider');
      await Promise.all(count(9999).map((index) => use(`${index}`)));
      expect(await use('first')).toBe(false);
      expect(await use('one more')).toBe(true);
      expect(await use('first')).toBe(true);
      expect(await use('first', 'another provider')).toBe(false);
    });

    it('have nothing in common with names that were issued', async () => {
      const { store, issue, use } = setUp();
      await issue('a');
      expect(await use('a')).toBe(true);
      expect(await store.redeem('a')).toBe(true);
    });
  });
}
