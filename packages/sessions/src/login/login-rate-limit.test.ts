import { describe, expect, it } from 'vitest';
import { clientKeyOf } from '../limits/client-key.js';
import { SessionEvents } from '../session/session-events.js';
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
  return { clock, rateLimit: new LoginRateLimit({ limits, clock, deadlines, events }) };
}

describe('the rate limit of logins', () => {
  it('applies to each address, and the error states the wait [security 39]', async () => {
    const { clock, rateLimit } = setUp();
    const origin = fromAddress('192.0.2.1');
    for (let count = 0; count < 3; count++) rateLimit.count(origin);
    const refusal = expect.objectContaining({
      code: 'too_many_requests',
      message: expect.stringContaining('Try again in 20 seconds'),
      retryAfterSeconds: 20,
    });
    expect(() => rateLimit.assertAllowed(origin)).toThrow(refusal);
    expect(() => rateLimit.count(origin)).toThrow(refusal);
    expect(() => rateLimit.count(fromAddress('192.0.2.2'))).not.toThrow();
    await clock.advance(20_000);
    expect(() => rateLimit.assertAllowed(origin)).not.toThrow();
    expect(() => rateLimit.count(origin)).not.toThrow();
  });

  it('applies to each user at all addresses with bearer access [security 41]', () => {
    const { rateLimit } = setUp();
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
      rateLimit.count({ ...fromAddress(address), initiator: alice });
    expect(() => rateLimit.count({ ...fromAddress('192.0.2.4'), initiator: alice })).toThrow('Try again');
    expect(() =>
      rateLimit.count({ ...fromAddress('192.0.2.1'), initiator: { ...alice, subject: 'bob' } }),
    ).not.toThrow();
  });

  it('does not apply to requests over loopback or from an unknown address', () => {
    const { rateLimit } = setUp();
    for (let count = 0; count < 10; count++) {
      rateLimit.count({ origin: 'local', initiator: alice, clientKey: undefined });
      rateLimit.count({ origin: 'remote', initiator: undefined, clientKey: undefined });
    }
  });
});
