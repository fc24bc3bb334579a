import { describe, expect, it } from 'vitest';
import { peerOf } from '../limits/peer.js';
import { RateLimiter } from '../limits/rate-limiter.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import { BearerAccess } from './bearer-access.js';

const GUESSER = peerOf('192.0.2.1');
const OTHER = peerOf('192.0.2.2');

/** Knows the tokens that begin with `good`. */
function setUp() {
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
  const access = new BearerAccess({
    prepare: () => Promise.resolve(),
    verify: async (token) => {
      asked.push(token);
      return token.startsWith('good') ? { principal } : { fault: 'It is not valid here.' };
    },
    requiredScopes: [],
    refusedTokens: new RateLimiter({ perMinute: 60, clock, deadlines }),
    clock,
  });
  const bring = (token: string, peer = GUESSER) =>
    access.admit({ authorization: `Bearer ${token}`, isFromAfar: true, peer });
  const bringNearby = (token: string) =>
    access.admit({ authorization: `Bearer ${token}`, isFromAfar: false, peer: undefined });
  return { clock, asked, bring, bringNearby };
}

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
});
