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
  return { clock, starts: new LoginRateLimit({ limits, clock, deadlines, events }) };
}

describe('the starts of logins', () => {
  it('are limited for each address, and the refusal says when to come back [security 39]', async () => {
    const { clock, starts } = setUp();
    const origin = fromAddress('192.0.2.1');
    for (let count = 0; count < 3; count++) starts.count(origin);
    const refusal = expect.objectContaining({
      code: 'too_many_requests',
      message: expect.stringContaining('Try again in 20 seconds'),
      retryAfterSeconds: 20,
    });
    expect(() => starts.assertAllowed(origin)).toThrow(refusal);
    expect(() => starts.count(origin)).toThrow(refusal);
    expect(() => starts.count(fromAddress('192.0.2.2'))).not.toThrow();
    await clock.advance(20_000);
    expect(() => starts.assertAllowed(origin)).not.toThrow();
    expect(() => starts.count(origin)).not.toThrow();
  });

  it('are limited for each user, from wherever they come, where clients say whose they are [security 41]', () => {
    const { starts } = setUp();
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
      starts.count({ ...fromAddress(address), initiator: alice });
    expect(() => starts.count({ ...fromAddress('192.0.2.4'), initiator: alice })).toThrow('Try again');
    expect(() =>
      starts.count({ ...fromAddress('192.0.2.1'), initiator: { ...alice, subject: 'bob' } }),
    ).not.toThrow();
  });

  it('are not counted on this machine, or where nothing is known of the address', () => {
    const { starts } = setUp();
    for (let count = 0; count < 10; count++) {
      starts.count({ origin: 'local', initiator: alice, clientKey: undefined });
      starts.count({ origin: 'remote', initiator: undefined, clientKey: undefined });
    }
  });
});
