import { describe, expect, it } from 'vitest';
import { type ClientKey, clientKeyOf } from '../limits/client-key.js';
import type { SessionRef } from '../session/ids.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import { randomToken, systemRandom } from '../vault/random.js';
import { Secret } from '../vault/secret.js';
import { digestOf } from '../vault/secret-digest.js';
import type { LoginAttempt } from './login-attempt.js';
import { LoginAttempts } from './login-attempts.js';

function attemptOf(session: string, provider = 'idp', clientKey?: ClientKey): LoginAttempt {
  return {
    id: randomToken(systemRandom),
    snapshot: { ref: session as SessionRef, epoch: 0 },
    provider,
    origin: { clientName: undefined, origin: 'local', initiator: undefined, clientKey },
    check: 'none',
    startedAtMs: 0,
    expiresAtMs: 600_000,
    device: undefined,
    trip: undefined,
    lastTrip: undefined,
    inert: undefined,
    outcome: undefined,
  };
}

function setUp() {
  const clock = new VirtualClock();
  const attempts = new LoginAttempts(new Deadlines(clock, () => undefined));
  const add = (attempt: LoginAttempt) => {
    attempts.add(attempt, () => attempts.remove(attempt));
    return attempt;
  };
  /** A browser agreed, and is at the provider. */
  const consent = (attempt: LoginAttempt, state: string) => {
    const checks = {
      state: Secret.fromString(state),
      nonce: Secret.fromString('nonce'),
      codeVerifier: Secret.fromString('verifier'),
    };
    attempts.setTrip(attempt, { purpose: 'login', checks, stateDigest: digestOf(state), cookieDigest: '' });
    return checks;
  };
  return { clock, attempts, add, consent };
}

describe('the logins under way', () => {
  it('are three at most for one session [security 41]', () => {
    const { attempts, add } = setUp();
    const session = 'session' as SessionRef;
    for (const provider of ['a', 'b', 'c']) {
      attempts.assertRoomIn(session, provider);
      add(attemptOf(session, provider));
    }
    expect(() => attempts.assertRoomIn(session, 'd')).toThrow('Too many logins');
    // It takes the place of the one that is under way there.
    expect(() => attempts.assertRoomIn(session, 'c')).not.toThrow();
    expect(() => attempts.assertRoomIn('another' as SessionRef, 'd')).not.toThrow();
  });

  it('are a thousand at most, of which the oldest that no user takes part in makes room [security 41]', () => {
    const { attempts, add, consent } = setUp();
    const first = add(attemptOf('first'));
    consent(first, 'state');
    const second = add(attemptOf('second'));
    for (let index = 0; index < 998; index++) {
      expect(attempts.toMakeRoom('')).toBeUndefined();
      add(attemptOf(`flood ${index}`));
    }
    expect(attempts.toMakeRoom('')).toBe(second);
    attempts.remove(second);
    expect(attempts.toMakeRoom('')).toBeUndefined();
  });

  it('are not taken for unattended while what a browser brought is redeemed [security 41]', () => {
    const { attempts, add, consent } = setUp();
    consent(add(attemptOf('first')), 'state');
    attempts.takeByState('state');
    const flood = Array.from({ length: 999 }, (_, index) => add(attemptOf(`flood ${index}`)));
    expect(attempts.toMakeRoom('')).toBe(flood[0]);
  });

  it('may be given other time than they began with', async () => {
    const { clock, attempts, add } = setUp();
    const attempt = add(attemptOf('session'));
    const ended: number[] = [];
    attempts.expireAt(attempt, 900_000, () => ended.push(clock.now()));
    await clock.advance(899_900);
    expect(ended).toEqual([]);
    expect(attempts.byId(attempt.id)).toBe(attempt);
    await clock.advance(200);
    expect(ended).toHaveLength(1);
  });

  it('make room where somebody has most of them under way, and not where somebody has few [security 41]', () => {
    const { attempts, add, consent } = setUp();
    const flooding = clientKeyOf('192.0.2.1');
    const other = clientKeyOf('192.0.2.2') ?? '';
    const early = add(attemptOf('early', 'idp', clientKeyOf('192.0.2.2')));
    const flood = Array.from({ length: 999 }, (_, index) =>
      add(attemptOf(`flood ${index}`, 'idp', flooding)),
    );
    const [first, second] = flood;
    expect(attempts.toMakeRoom(other)).toBe(first);
    expect(attempts.toMakeRoom('a third')).toBe(first);
    expect(attempts.toMakeRoom(flooding ?? '')).toBe(first);
    for (const [index, attempt] of flood.entries()) if (attempt !== second) consent(attempt, `${index}`);
    expect(attempts.toMakeRoom(other)).toBe(second);
    if (second) consent(second, 'second');
    // Whoever floods may well click through all of them.
    expect(attempts.toMakeRoom(other)).toBe(first);
    expect(attempts.toMakeRoom(flooding ?? '')).toBe(early);
    consent(early, 'early');
    expect(attempts.toMakeRoom(flooding ?? '')).toBeUndefined();
  });

  it('are found by a state once, and by the latest browser only [security 12, 15]', () => {
    const { attempts, add, consent } = setUp();
    const attempt = add(attemptOf('session'));
    const earlier = consent(attempt, 'earlier');
    consent(attempt, 'later');
    expect(attempts.takeByState('earlier')).toBeUndefined();
    expect(() => earlier.state.reveal()).toThrow('wiped');
    expect(attempts.takeByState('later')?.attempt).toBe(attempt);
    expect(attempts.takeByState('later')).toBeUndefined();
  });

  it('are over when their time is [security 12]', async () => {
    const { clock, attempts, add } = setUp();
    const attempt = add(attemptOf('session'));
    await clock.advance(600_100);
    expect(attempts.byId(attempt.id)).toBeUndefined();
    expect(attempts.allOf('session' as SessionRef)).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});
