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

/** Knows the tokens that begin with `good`, and answers when it is let. */
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
  /** Good tokens that are good no more, as only the authorization server knows. */
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
  const bring = (token: string, clientKey = GUESSER) =>
    access.admit({ authorization: `Bearer ${token}`, origin: 'remote', clientKey });
  const bringNearby = (token: string) =>
    access.admit({ authorization: `Bearer ${token}`, origin: 'local', clientKey: undefined });
  /** Answers all that it was asked, until it is asked nothing more. */
  const answerAll = async () => {
    while (held.length > 0) {
      for (const answer of held.splice(0)) answer();
      await setImmediate();
    }
  };
  return { clock, asked, lost, bring, bringNearby, answerAll };
}

/** How many were answered with each status; `undefined` where they were let in. */
function statusesOf(admissions: readonly Admission[]): Map<number | undefined, number> {
  const statuses = new Map<number | undefined, number>();
  for (const admission of admissions) {
    const status = admission.isAdmitted ? undefined : admission.refusal.status;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  return statuses;
}

const bringAll = (bring: (token: string) => Promise<Admission>, tokens: number, kind: string) =>
  Promise.all(Array.from({ length: tokens }, (_, index) => bring(`${kind}-${index}`)));

describe('an address that brings tokens that nobody knows', () => {
  it('is told to come back later, and nobody is asked for it meanwhile [security 41]', async () => {
    const { clock, asked, bring } = setUp();
    await bring('good-and-known');
    for (let guess = 0; guess < 60; guess++) {
      expect(await bring(`guess-${guess}`)).toMatchObject({ refusal: { status: 401 } });
    }
    asked.length = 0;
    expect(await bring('guess')).toMatchObject({
      isAdmitted: false,
      refusal: {
        status: 429,
        description: expect.stringMatching(/Try again in/),
        retryAfterSeconds: expect.any(Number),
      },
    });
    expect(await bring('good-but-new')).toMatchObject({ refusal: { status: 429 } });
    expect(asked).toEqual([]);
    expect(await bring('good-and-known')).toMatchObject({ isAdmitted: true });
    expect(await bring('good-but-new', OTHER)).toMatchObject({ isAdmitted: true });
    await clock.advance(60_000);
    expect(await bring('guess')).toMatchObject({ refusal: { status: 401 } });
    expect(await bring('good-and-newer')).toMatchObject({ isAdmitted: true });
  });

  it('is not counted for tokens that are valid, nor on this machine', async () => {
    const { bring, bringNearby } = setUp();
    for (let count = 0; count < 100; count++) {
      expect(await bring(`good-${count}`)).toMatchObject({ isAdmitted: true });
      expect(await bringNearby(`guess-${count}`)).toMatchObject({ refusal: { status: 401 } });
    }
    expect(await bring('guess')).toMatchObject({ refusal: { status: 401 } });
  });

  it('gets no further by bringing them all at the same time [security 41]', async () => {
    const { clock, asked, bring, answerAll } = setUp({ isHeld: true });
    const guesses = bringAll(bring, 150, 'guess');
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
    const more = bringAll(bring, 150, 'another');
    await answerAll();
    expect(statusesOf(await more).get(401)).toBe(1);
  });

  it('keeps nobody else waiting for the answers that it waits for itself [security 41]', async () => {
    const { asked, bring, answerAll } = setUp({ isHeld: true });
    const guesses = bringAll(bring, 1100, 'guess');
    const other = bring('good', OTHER);
    expect(asked).toHaveLength(21);
    await answerAll();
    expect(await other).toMatchObject({ isAdmitted: true });
    expect(statusesOf(await guesses).get(503)).toBe(600);
  });
});

describe('an address that many come from', () => {
  it('is not counted for tokens that have merely expired: each is a 401, so that its client refreshes [security 41]', async () => {
    const { bring, answerAll } = setUp({ isHeld: true });
    const admissions = bringAll(bring, 500, 'expired');
    await answerAll();
    expect(statusesOf(await admissions)).toEqual(new Map([[401, 500]]));
    const refreshed = bringAll(bring, 500, 'good');
    await answerAll();
    expect(statusesOf(await refreshed)).toEqual(new Map([[undefined, 500]]));
  });

  it('is not counted for opaque tokens that were accepted once, even while another client guesses [security 41]', async () => {
    const { clock, lost, bring } = setUp();
    for (let count = 0; count < 100; count++) {
      await bring(`good-${count}`);
      lost.add(`good-${count}`);
    }
    for (let guess = 0; guess < 61; guess++) await bring(`guess-${guess}`);
    await clock.advance(60_000);
    for (let guess = 0; guess < 61; guess++) await bring(`another-${guess}`);
    expect(await bring('guess')).toMatchObject({ refusal: { status: 429 } });
    expect(statusesOf(await bringAll(bring, 100, 'good'))).toEqual(new Map([[401, 100]]));
    await clock.advance(24 * 3_600_000);
    for (let guess = 0; guess < 61; guess++) await bring(`yet-another-${guess}`);
    expect(await bring('good-1')).toMatchObject({ refusal: { status: 429 } });
  });

  it('lets a hundred in at the same time whose tokens are new and valid [security 41]', async () => {
    const { bring, answerAll } = setUp({ isHeld: true });
    const admissions = bringAll(bring, 100, 'good');
    await answerAll();
    expect(statusesOf(await admissions)).toEqual(new Map([[undefined, 100]]));
  });

  it('lets them in, too, when one of them brings what is not valid', async () => {
    const { bring, answerAll } = setUp({ isHeld: true });
    const guesses = bringAll(bring, 55, 'guess');
    const admissions = bringAll(bring, 100, 'good');
    await answerAll();
    expect(statusesOf(await guesses)).toEqual(new Map([[401, 55]]));
    expect(statusesOf(await admissions)).toEqual(new Map([[undefined, 100]]));
  });

  it('is not counted for tokens of which nothing could be found out', async () => {
    const { bring } = setUp();
    expect(statusesOf(await bringAll(bring, 100, 'lost'))).toEqual(new Map([[503, 100]]));
    expect(await bring('guess')).toMatchObject({ refusal: { status: 401 } });
  });
});
