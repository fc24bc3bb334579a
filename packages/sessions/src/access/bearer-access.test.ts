import { describe, expect, it } from 'vitest';
import { SessionError } from '../errors.js';
import { RateLimiter } from '../limits/rate-limiter.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import { BearerAccess } from './bearer-access.js';
import type { ReadClaims } from './token-claims.js';
import type { TokenFault } from './token-fault.js';

const SECOND = 1000;
const EXPIRED: ReadClaims = { reason: 'expired', fault: 'It has expired.' };
const near = { origin: 'local', clientKey: undefined } as const;

const fail = (error: unknown) => {
  throw error;
};

/** Bearer access with a verification that the test replaces. */
function setUp({ lifetimeMs = 600 * SECOND, scopes = ['mcp'], requiredScopes = [] as string[] } = {}) {
  const clock = new VirtualClock();
  const verified: string[] = [];
  const faults: TokenFault[] = [];
  const door = {
    answer: (token: string): Promise<ReadClaims> | ReadClaims => ({
      principal: {
        issuer: 'https://auth.test',
        subject: `owner of ${token}`,
        clientId: 'client',
        scopes,
        expiresAtMs: clock.now() + lifetimeMs,
      },
    }),
  };
  const access = new BearerAccess({
    issuerMetadata: () => Promise.resolve({}),
    clock,
    onRefused: (fault) => faults.push(fault),
    requiredScopes,
    refusedTokens: new RateLimiter({ perMinute: 60, clock, deadlines: new Deadlines(clock, fail) }),
    verify: async (token) => {
      verified.push(token);
      return door.answer(token);
    },
  });
  const admit = (authorization: string | null) => access.admit({ ...near, authorization });
  return { clock, verified, faults, door, admit };
}

/** Verifications that end when the test resolves them. */
function held(door: ReturnType<typeof setUp>['door']) {
  const waiting: ((answer: ReadClaims | Promise<never>) => void)[] = [];
  door.answer = () => new Promise((resolve) => waiting.push(resolve));
  return waiting;
}

describe('bearer access', () => {
  it('admits the principal that the token names', async () => {
    const { admit } = setUp();
    expect(await admit('Bearer a-token')).toMatchObject({
      isAdmitted: true,
      principal: { subject: 'owner of a-token', clientId: 'client' },
    });
  });

  it.each(['bearer a-token', 'BEARER a-token', 'Bearer   a-token'])('accepts `%s`', async (header) => {
    const { admit, verified } = setUp();
    expect(await admit(header)).toMatchObject({ isAdmitted: true });
    expect(verified).toEqual(['a-token']);
  });

  it('responds without an error code if the request has no token', async () => {
    const { admit } = setUp();
    expect(await admit(null)).toEqual({
      isAdmitted: false,
      refusal: { status: 401, description: expect.stringMatching(/`resource_metadata`/) },
    });
  });

  it.each([
    '',
    'Bearer',
    'Bearer ',
    'Basic YTpi',
    'a-token',
    'Bearer a b',
    'Bearer a-token, Bearer another',
    'Bearer a-token,Bearer a-token',
    'Bearer "a-token"',
    'Bearer tökén',
    'Bearer a=b',
    ' Bearer a-token',
    'Bearer a-token\n',
    `Bearer ${'a'.repeat(8193)}`,
  ])('verifies nothing for a header without a token: %j', async (header) => {
    const { admit, verified } = setUp();
    expect(await admit(header)).toMatchObject({
      isAdmitted: false,
      refusal: { status: 401, error: 'invalid_token' },
    });
    expect(verified).toEqual([]);
  });

  it('says why a token is rejected', async () => {
    const { door, admit } = setUp();
    door.answer = () => EXPIRED;
    expect(await admit('Bearer old')).toEqual({
      isAdmitted: false,
      refusal: {
        status: 401,
        error: 'invalid_token',
        description: 'The access token is refused. It has expired.',
      },
    });
  });

  it('reports each rejected token with its reason, and no accepted token [security 49]', async () => {
    const { door, faults, admit } = setUp({ requiredScopes: ['notes'] });
    await admit(null);
    expect(faults).toEqual([]);
    await admit('Basic YTpi');
    await admit('Bearer without-scope');
    door.answer = () => EXPIRED;
    await admit('Bearer old');
    await admit('Bearer old');
    expect(faults.map(({ reason }) => reason)).toEqual(['malformed', 'scope', 'expired', 'expired']);
    const accepting = setUp();
    await accepting.admit('Bearer good');
    expect(accepting.faults).toEqual([]);
  });

  it('names every missing scope, and admits no request without one of them', async () => {
    const { admit } = setUp({ scopes: ['mcp'], requiredScopes: ['mcp', 'notes', 'mail'] });
    expect(await admit('Bearer a')).toMatchObject({
      refusal: {
        status: 403,
        error: 'insufficient_scope',
        description: expect.stringContaining('notes mail'),
      },
    });
    const enough = setUp({ scopes: ['mail', 'mcp', 'notes'], requiredScopes: ['mcp', 'notes', 'mail'] });
    expect(await enough.admit('Bearer a')).toMatchObject({ isAdmitted: true });
  });
});

describe('a verified token', () => {
  it('is not verified again for a minute', async () => {
    const { clock, verified, admit } = setUp();
    for (let request = 0; request < 5; request++) await admit('Bearer a');
    expect(verified).toHaveLength(1);
    await clock.advance(60 * SECOND - 1);
    await admit('Bearer a');
    expect(verified).toHaveLength(1);
    await clock.advance(1);
    await admit('Bearer a');
    expect(verified).toHaveLength(2);
  });

  it('is verified again when it expires', async () => {
    const { clock, verified, door, admit } = setUp({ lifetimeMs: 10 * SECOND });
    await admit('Bearer a');
    await clock.advance(10 * SECOND);
    door.answer = () => EXPIRED;
    expect(await admit('Bearer a')).toMatchObject({ refusal: { status: 401 } });
    expect(verified).toHaveLength(2);
  });

  it('counts its minute from the start of the verification, so that a revocation meanwhile is found', async () => {
    const { clock, verified, door, admit } = setUp();
    const good = door.answer('a');
    const waiting = held(door);
    const admitted = admit('Bearer a');
    await clock.advance(40 * SECOND);
    waiting[0]?.(await good);
    expect(await admitted).toMatchObject({ isAdmitted: true });
    door.answer = () => ({ reason: 'not_active', fault: 'It is not active.' });
    await clock.advance(20 * SECOND);
    expect(await admit('Bearer a')).toMatchObject({ refusal: { status: 401 } });
    expect(verified).toHaveLength(2);
  });

  it('does not affect another token', async () => {
    const { verified, admit } = setUp();
    await admit('Bearer a');
    expect(await admit('Bearer b')).toMatchObject({ principal: { subject: 'owner of b' } });
    expect(verified).toEqual(['a', 'b']);
  });
});

describe('verification', () => {
  it('happens once for a hundred concurrent requests with the same token', async () => {
    const { verified, door, admit } = setUp();
    const good = await door.answer('a');
    const waiting = held(door);
    const admissions = Array.from({ length: 100 }, () => admit('Bearer a'));
    waiting[0]?.(good);
    for (const admission of await Promise.all(admissions))
      expect(admission).toMatchObject({ isAdmitted: true });
    expect(verified).toHaveLength(1);
  });

  it('of a rejected token is not repeated for ten seconds', async () => {
    const { clock, verified, door, admit } = setUp();
    const { answer } = door;
    door.answer = () => EXPIRED;
    for (let tries = 0; tries < 3; tries++)
      expect(await admit('Bearer a')).toMatchObject({ isAdmitted: false });
    expect(verified).toHaveLength(1);
    door.answer = answer;
    await clock.advance(10 * SECOND);
    expect(await admit('Bearer a')).toMatchObject({ isAdmitted: true });
  });

  it('that fails responds 503 to all requests that wait for it, and is repeated for the next request', async () => {
    const { verified, door, admit } = setUp();
    const { answer } = door;
    const waiting = held(door);
    const admissions = [admit('Bearer a'), admit('Bearer a')];
    const error = new SessionError('provider_unavailable', 'Try again in a minute.', {
      retryAfterSeconds: 7,
    });
    waiting[0]?.(Promise.reject(error));
    for (const admission of await Promise.all(admissions)) {
      expect(admission).toEqual({
        isAdmitted: false,
        refusal: { status: 503, description: 'Try again in a minute.', retryAfterSeconds: 7 },
      });
    }
    door.answer = answer;
    expect(await admit('Bearer a')).toMatchObject({ isAdmitted: true });
    expect(verified).toHaveLength(2);
  });

  it('that fails without a retry time is to be retried after a minute', async () => {
    const { door, admit } = setUp();
    door.answer = () => Promise.reject(new SessionError('provider_refused', 'Tell the operator.'));
    expect(await admit('Bearer a')).toMatchObject({ refusal: { status: 503, retryAfterSeconds: 60 } });
  });

  it('that throws an unexpected error does not respond to the client', async () => {
    const { door, admit } = setUp();
    door.answer = () => Promise.reject(new TypeError('a mistake'));
    await expect(admit('Bearer a')).rejects.toThrow('a mistake');
  });
});
