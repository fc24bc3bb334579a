import { expect } from 'vitest';
import type { ProviderFault } from '../../packages/sessions/src/testing/index.js';
import { type Client, loggedIn, pass, SECOND, start } from './outage-setup.js';

const OUTAGE_SECONDS = 600;
/** The interval of the calls of each user. */
const CALL_SECONDS = 20;

interface Outage {
  /** The behaviour of the token endpoint. */
  readonly fault: ProviderFault;
  readonly retryAfterSeconds?: number;
  readonly delaySeconds?: number;
  readonly users: number;
}

/** Expects that a ten-minute outage loses no login, that calls are told when to retry, and that few requests are sent. */
export async function expectNoLoginLost({
  fault,
  retryAfterSeconds = 0,
  delaySeconds = 0,
  users: count,
}: Outage): Promise<void> {
  const { clock, provider, sessions, events, failureReasons, refreshes, expiredUses, load } = start({
    delaySeconds,
  });
  const users = Array.from({ length: count }, (_, index) => `user-${index}`);
  const clients: Client[] = [];
  for (const user of users) {
    clients.push(await loggedIn(sessions, provider, user));
    await clock.advance(4 * SECOND);
  }
  // Every access token expires during the outage.
  await clock.advance(200 * SECOND);
  const before = refreshes().length;
  expect(before).toBe(0);
  load.mostInFlight = 0;
  provider.failUntilMended('token', fault);

  const seen = { served: 0, told: 0 };
  for (let second = 0; second < OUTAGE_SECONDS; second += CALL_SECONDS) {
    const calling = Promise.all(clients.map((client) => client.textOf('who')));
    await pass(clock, CALL_SECONDS);
    for (const [index, text] of (await calling).entries()) {
      if (text === `200 ${users[index]}`) seen.served++;
      else {
        expect(text).toMatch(
          /is not available\. Try again in \d+ seconds, or call the `login` tool .*login is kept/,
        );
        seen.told++;
      }
    }
  }
  expect(seen.served).toBeGreaterThan(count);
  expect(seen.told).toBeGreaterThan(count);
  expect(expiredUses).toEqual([]);
  expect(failureReasons()).toEqual([]);

  // Before the breaker opens: four failures, and the requests in flight at the fifth, at most 50. Then one
  // probe in 30 seconds.
  expect(load.mostInFlight).toBeLessThanOrEqual(50);
  const most = 4 + load.mostInFlight + OUTAGE_SECONDS / 30;
  expect(refreshes().length).toBeLessThanOrEqual(most);
  expect(refreshes().length).toBeGreaterThan(5);

  // The next probe may come after the pause of the breaker or of the provider, and a session may retry after
  // its longest pause.
  provider.mend();
  const told = events.length;
  await pass(clock, Math.max(30, retryAfterSeconds) + 30 + 2 * delaySeconds);
  const refreshed = events.slice(told).filter(({ type }) => type === 'account.refreshed');
  expect(refreshed).toHaveLength(count);
  const answers = await Promise.all(clients.map((client) => client.textOf('who')));
  expect(answers).toEqual(users.map((user) => `200 ${user}`));
  expect(provider.livingUsers()).toEqual(users);
  expect(provider.reuses).toBe(0);
  expect(failureReasons()).toEqual([]);
}
