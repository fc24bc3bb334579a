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
    scopes: ['openid'],
    source: { clientName: undefined, origin: 'local', initiator: undefined, clientKey },
    check: 'none',
    startedAtMs: 0,
    expiresAtMs: 600_000,
    devicePoller: undefined,
    transaction: undefined,
    lastTransaction: undefined,
    unconfirmed: undefined,
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
  /** A browser has consented and is at the provider. */
  const consent = (attempt: LoginAttempt, state: string) => {
    const checks = {
      state: Secret.fromString(state),
      nonce: Secret.fromString('nonce'),
      codeVerifier: Secret.fromString('verifier'),
    };
    attempts.setTransaction(attempt, {
      purpose: 'login',
      checks,
      stateDigest: digestOf(state),
      cookieDigest: '',
    });
    return checks;
  };
  /** @returns the attempt whose transaction was taken */
  const take = (state: string) => {
    const found = attempts.byState(state);
    if (found) attempts.take(found);
    return found?.attempt;
  };
  return { clock, attempts, add, consent, take };
}

describe('pending logins', () => {
  it('are three at most for one session [security 41]', () => {
    const { attempts, add } = setUp();
    const session = 'session' as SessionRef;
    for (const provider of ['a', 'b', 'c']) {
      attempts.assertSessionCapacity(session, provider);
      add(attemptOf(session, provider));
    }
    expect(() => attempts.assertSessionCapacity(session, 'd')).toThrow('too many pending logins');
    // It supersedes the pending login at that provider.
    expect(() => attempts.assertSessionCapacity(session, 'c')).not.toThrow();
    expect(() => attempts.assertSessionCapacity('another' as SessionRef, 'd')).not.toThrow();
  });

  it('are a thousand at most; the oldest without consent is evicted [security 41]', () => {
    const { attempts, add, consent } = setUp();
    const first = add(attemptOf('first'));
    consent(first, 'state');
    const second = add(attemptOf('second'));
    for (let index = 0; index < 998; index++) {
      expect(attempts.evictionCandidate('')).toBeUndefined();
      add(attemptOf(`flood ${index}`));
    }
    expect(attempts.evictionCandidate('')).toBe(second);
    attempts.remove(second);
    expect(attempts.evictionCandidate('')).toBeUndefined();
  });

  it('are not evicted as without consent while their code is redeemed [security 41]', () => {
    const { attempts, add, consent, take } = setUp();
    consent(add(attemptOf('first')), 'state');
    take('state');
    const flood = Array.from({ length: 999 }, (_, index) => add(attemptOf(`flood ${index}`)));
    expect(attempts.evictionCandidate('')).toBe(flood[0]);
  });

  it('expire at the time that was set last', async () => {
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

  it('are evicted from the address with the most of them, and not from one with few [security 41]', () => {
    const { attempts, add, consent } = setUp();
    const flooding = clientKeyOf('192.0.2.1');
    const other = clientKeyOf('192.0.2.2') ?? '';
    const early = add(attemptOf('early', 'idp', clientKeyOf('192.0.2.2')));
    const flood = Array.from({ length: 999 }, (_, index) =>
      add(attemptOf(`flood ${index}`, 'idp', flooding)),
    );
    const [first, second] = flood;
    expect(attempts.evictionCandidate(other)).toBe(first);
    expect(attempts.evictionCandidate('a third')).toBe(first);
    expect(attempts.evictionCandidate(flooding ?? '')).toBe(first);
    for (const [index, attempt] of flood.entries()) if (attempt !== second) consent(attempt, `${index}`);
    expect(attempts.evictionCandidate(other)).toBe(second);
    if (second) consent(second, 'second');
    // A flooding client may consent to all of its logins.
    expect(attempts.evictionCandidate(other)).toBe(first);
    expect(attempts.evictionCandidate(flooding ?? '')).toBe(early);
    consent(early, 'early');
    expect(attempts.evictionCandidate(flooding ?? '')).toBeUndefined();
  });

  it('are found once by a state, and by that of the latest consent only [security 12, 15]', () => {
    const { add, consent, take } = setUp();
    const attempt = add(attemptOf('session'));
    const earlier = consent(attempt, 'earlier');
    consent(attempt, 'later');
    expect(take('earlier')).toBeUndefined();
    expect(() => earlier.state.reveal()).toThrow('wiped');
    expect(take('later')).toBe(attempt);
    expect(take('later')).toBeUndefined();
  });

  it('are removed when they expire [security 12]', async () => {
    const { clock, attempts, add } = setUp();
    const attempt = add(attemptOf('session'));
    await clock.advance(600_100);
    expect(attempts.byId(attempt.id)).toBeUndefined();
    expect(attempts.allOf('session' as SessionRef)).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});
