import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SessionError } from '../errors.js';
import { clientKeyOf } from '../limits/client-key.js';
import { RateLimiter } from '../limits/rate-limiter.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import type { Admission } from './access.js';
import { BearerAccess } from './bearer-access.js';

const GUESSER = clientKeyOf('192.0.2.1');
const OTHER = clientKeyOf('192.0.2.2');

/** Bearer access that accepts tokens that begin with `good`, and can hold its verifications. */
function setUp({ isHeld = false } = {}) {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, () => undefined);
  const principal = {
    issuer: 'https://id.example.com',
    subject: 'alice',
    clientId: 'test',
    scopes: [],
    expiresAtMs: 3_600_000,
  };
  const asked: string[] = [];
  const held: (() => void)[] = [];
  /** Accepted tokens that the authorization server has revoked. */
  const lost = new Set<string>();
  const access = new BearerAccess({
    issuerMetadata: () => Promise.resolve({}),
    verify: async (token) => {
      asked.push(token);
      if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
      if (token.startsWith('lost')) throw new SessionError('provider_unavailable', 'Try again in a minute.');
      if (token.startsWith('expired')) return { reason: 'expired', fault: 'It has expired.' };
      return lost.has(token) || !token.startsWith('good')
        ? { reason: 'not_active', fault: 'It is not active.' }
        : { principal };
    },
    requiredScopes: [],
    refusedTokens: new RateLimiter({ perMinute: 60, clock, deadlines }),
    clock,
  });
  const send = (token: string, clientKey = GUESSER) =>
    access.admit({ authorization: `Bearer ${token}`, origin: 'remote', clientKey });
  const sendLocally = (token: string) =>
    access.admit({ authorization: `Bearer ${token}`, origin: 'local', clientKey: undefined });
  /** Ends held verifications until there are none. */
  const answerAll = async () => {
    while (held.length > 0) {
      for (const answer of held.splice(0)) answer();
      await setImmediate();
    }
  };
  return { clock, asked, lost, send, sendLocally, answerAll };
}

/** Counts responses by status; `undefined` counts admitted requests. */
function statusesOf(admissions: readonly Admission[]): Map<number | undefined, number> {
  const statuses = new Map<number | undefined, number>();
  for (const admission of admissions) {
    const status = admission.isAdmitted ? undefined : admission.refusal.status;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  return statuses;
}

const bringAll = (send: (token: string) => Promise<Admission>, tokens: number, kind: string) =>
  Promise.all(Array.from({ length: tokens }, (_, index) => send(`${kind}-${index}`)));

describe('an address that sends invalid tokens', () => {
  it('gets 429 without further verifications [security 41]', async () => {
    const { clock, asked, send } = setUp();
    await send('good-and-known');
    for (let guess = 0; guess < 60; guess++) {
      expect(await send(`guess-${guess}`)).toMatchObject({ refusal: { status: 401 } });
    }
    asked.length = 0;
    expect(await send('guess')).toMatchObject({
      isAdmitted: false,
      refusal: {
        status: 429,
        description: expect.stringMatching(/Try again in/),
        retryAfterSeconds: expect.any(Number),
      },
    });
    expect(await send('good-but-new')).toMatchObject({ refusal: { status: 429 } });
    expect(asked).toEqual([]);
    expect(await send('good-and-known')).toMatchObject({ isAdmitted: true });
    expect(await send('good-but-new', OTHER)).toMatchObject({ isAdmitted: true });
    await clock.advance(60_000);
    expect(await send('guess')).toMatchObject({ refusal: { status: 401 } });
    expect(await send('good-and-newer')).toMatchObject({ isAdmitted: true });
  });

  it('is not limited for valid tokens, nor for requests of this machine', async () => {
    const { send, sendLocally } = setUp();
    for (let count = 0; count < 100; count++) {
      expect(await send(`good-${count}`)).toMatchObject({ isAdmitted: true });
      expect(await sendLocally(`guess-${count}`)).toMatchObject({ refusal: { status: 401 } });
    }
    expect(await send('guess')).toMatchObject({ refusal: { status: 401 } });
  });

  it('gets no more verifications for concurrent requests [security 41]', async () => {
    const { clock, asked, send, answerAll } = setUp({ isHeld: true });
    const guesses = bringAll(send, 150, 'guess');
    expect(asked).toHaveLength(20);
    await answerAll();
    expect(statusesOf(await guesses)).toEqual(
      new Map([
        [401, 60],
        [429, 90],
      ]),
    );
    expect(asked).toHaveLength(60);
    await clock.advance(1000);
    const more = bringAll(send, 150, 'another');
    await answerAll();
    expect(statusesOf(await more).get(401)).toBe(1);
  });

  it('does not delay the requests of other addresses [security 41]', async () => {
    const { asked, send, answerAll } = setUp({ isHeld: true });
    const guesses = bringAll(send, 1100, 'guess');
    const other = send('good', OTHER);
    expect(asked).toHaveLength(21);
    await answerAll();
    expect(await other).toMatchObject({ isAdmitted: true });
    expect(statusesOf(await guesses).get(503)).toBe(600);
  });
});

describe('an address that many clients share', () => {
  it('gets 401 for expired tokens, so that clients refresh them [security 41]', async () => {
    const { send, answerAll } = setUp({ isHeld: true });
    const admissions = bringAll(send, 500, 'expired');
    await answerAll();
    expect(statusesOf(await admissions)).toEqual(new Map([[401, 500]]));
    const refreshed = bringAll(send, 500, 'good');
    await answerAll();
    expect(statusesOf(await refreshed)).toEqual(new Map([[undefined, 500]]));
  });

  it('is not limited for opaque tokens that were accepted once, even while another client guesses tokens [security 41]', async () => {
    const { clock, lost, send } = setUp();
    for (let count = 0; count < 100; count++) {
      await send(`good-${count}`);
      lost.add(`good-${count}`);
    }
    for (let guess = 0; guess < 61; guess++) await send(`guess-${guess}`);
    await clock.advance(60_000);
    for (let guess = 0; guess < 61; guess++) await send(`another-${guess}`);
    expect(await send('guess')).toMatchObject({ refusal: { status: 429 } });
    expect(statusesOf(await bringAll(send, 100, 'good'))).toEqual(new Map([[401, 100]]));
    await clock.advance(24 * 3_600_000);
    for (let guess = 0; guess < 61; guess++) await send(`yet-another-${guess}`);
    expect(await send('good-1')).toMatchObject({ refusal: { status: 429 } });
  });

  it('admits a hundred concurrent requests with new valid tokens [security 41]', async () => {
    const { send, answerAll } = setUp({ isHeld: true });
    const admissions = bringAll(send, 100, 'good');
    await answerAll();
    expect(statusesOf(await admissions)).toEqual(new Map([[undefined, 100]]));
  });

  it('admits them even if one of the tokens is not valid', async () => {
    const { send, answerAll } = setUp({ isHeld: true });
    const guesses = bringAll(send, 55, 'guess');
    const admissions = bringAll(send, 100, 'good');
    await answerAll();
    expect(statusesOf(await guesses)).toEqual(new Map([[401, 55]]));
    expect(statusesOf(await admissions)).toEqual(new Map([[undefined, 100]]));
  });

  it('is not limited for tokens whose verification failed', async () => {
    const { send } = setUp();
    expect(statusesOf(await bringAll(send, 100, 'lost'))).toEqual(new Map([[503, 100]]));
    expect(await send('guess')).toMatchObject({ refusal: { status: 401 } });
  });
});
