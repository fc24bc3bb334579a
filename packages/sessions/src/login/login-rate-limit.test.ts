import { describe, expect, it } from 'vitest';
import { clientKeyOf } from '../limits/client-key.js';
import { SessionEvents } from '../session/session-events.js';
import { MapRates } from '../store/map-rates.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import { LoginRateLimit } from './login-rate-limit.js';

const alice = { issuer: 'https://id.example.com', subject: 'alice' };
const fromAddress = (address: string) =>
  ({
    origin: 'remote',
    initiator: undefined,
    clientKey: clientKeyOf(address),
  }) as const;

function setUp() {
  const clock = new VirtualClock();
  const limits = { loginStartsPerMinute: 3, loginStartsPerUserPerMinute: 3 };
  const deadlines = new Deadlines(clock, () => undefined);
  const events = new SessionEvents(() => undefined);
  const rates = new MapRates({ clock, deadlines });
  const rateLimit = new LoginRateLimit({ rates, limits, events });
  const count = async (source: Parameters<LoginRateLimit['count']>[0]) => rateLimit.count(source);
  return { clock, rateLimit, count };
}

describe('the rate limit of logins', () => {
  it('applies to each address, and the error states the wait [security 39]', async () => {
    const { clock, rateLimit, count } = setUp();
    const origin = fromAddress('192.0.2.1');
    for (let index = 0; index < 3; index++) await count(origin);
    const refusal = expect.objectContaining({
      code: 'too_many_requests',
      message: expect.stringContaining('Try again in 20 seconds'),
      retryAfterSeconds: 20,
    });
    await expect(rateLimit.assertAllowed(origin)).rejects.toThrow(refusal);
    await expect(count(origin)).rejects.toThrow(refusal);
    await count(fromAddress('192.0.2.2'));
    await clock.advance(20_000);
    await rateLimit.assertAllowed(origin);
    await count(origin);
  });

  it('applies to each user at all addresses with bearer access [security 41]', async () => {
    const { count } = setUp();
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
      await count({ ...fromAddress(address), initiator: alice });
    await expect(count({ ...fromAddress('192.0.2.4'), initiator: alice })).rejects.toThrow('Try again');
    await count({ ...fromAddress('192.0.2.1'), initiator: { ...alice, subject: 'bob' } });
  });

  it('does not apply to requests over loopback or from an unknown address', async () => {
    const { count } = setUp();
    for (let index = 0; index < 10; index++) {
      await count({ origin: 'local', initiator: alice, clientKey: undefined });
      await count({ origin: 'remote', initiator: undefined, clientKey: undefined });
    }
  });
});
