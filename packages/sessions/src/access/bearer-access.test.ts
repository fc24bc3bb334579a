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

/** A door whose verifications are in the hands of a test. */
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

/** Verifications that wait until they are answered. */
function held(door: ReturnType<typeof setUp>['door']) {
  const waiting: ((answer: ReadClaims | Promise<never>) => void)[] = [];
  door.answer = () => new Promise((resolve) => waiting.push(resolve));
  return waiting;
}

describe('bearer access', () => {
  it('lets in whoever the token says is calling', async () => {
    const { admit } = setUp();
    expect(await admit('Bearer a-token')).toMatchObject({
      isAdmitted: true,
      principal: { subject: 'owner of a-token', clientId: 'client' },
    });
  });

  it.each(['bearer a-token', 'BEARER a-token', 'Bearer   a-token'])('understands `%s`', async (header) => {
    const { admit, verified } = setUp();
    expect(await admit(header)).toMatchObject({ isAdmitted: true });
    expect(verified).toEqual(['a-token']);
  });

  it('says without an error code where a token is to be had, if there was none', async () => {
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
  ])('asks nobody about a header that can carry no token: %j', async (header) => {
    const { admit, verified } = setUp();
    expect(await admit(header)).toMatchObject({
      isAdmitted: false,
      refusal: { status: 401, error: 'invalid_token' },
    });
    expect(verified).toEqual([]);
  });

  it('says what is wrong with a token that names nobody', async () => {
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

  it('reports every refused token with its reason, and no accepted one [security 49]', async () => {
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

  it('names every scope that is missing, and lets in nobody without one of them', async () => {
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

describe('a token that was verified', () => {
  it('is verified for a minute and then verified again', async () => {
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

  it('is not verified for longer than it lives', async () => {
    const { clock, verified, door, admit } = setUp({ lifetimeMs: 10 * SECOND });
    await admit('Bearer a');
    await clock.advance(10 * SECOND);
    door.answer = () => EXPIRED;
    expect(await admit('Bearer a')).toMatchObject({ refusal: { status: 401 } });
    expect(verified).toHaveLength(2);
  });

  it('is verified from when it was asked about: a revocation meanwhile is not overlooked for longer', async () => {
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

  it('says nothing of another one', async () => {
    const { verified, admit } = setUp();
    await admit('Bearer a');
    expect(await admit('Bearer b')).toMatchObject({ principal: { subject: 'owner of b' } });
    expect(verified).toEqual(['a', 'b']);
  });
});

describe('verification', () => {
  it('is done once for a hundred requests that come with one token at the same time', async () => {
    const { verified, door, admit } = setUp();
    const good = await door.answer('a');
    const waiting = held(door);
    const admissions = Array.from({ length: 100 }, () => admit('Bearer a'));
    waiting[0]?.(good);
    for (const admission of await Promise.all(admissions))
      expect(admission).toMatchObject({ isAdmitted: true });
    expect(verified).toHaveLength(1);
  });

  it('of a token that was refused is not repeated for ten seconds', async () => {
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

  it('that cannot be done is a 503 for everybody who waits for it, and is tried again with the next', async () => {
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

  it('that does not say when it can be done again is to be tried in a minute', async () => {
    const { door, admit } = setUp();
    door.answer = () => Promise.reject(new SessionError('provider_refused', 'Tell the operator.'));
    expect(await admit('Bearer a')).toMatchObject({ refusal: { status: 503, retryAfterSeconds: 60 } });
  });

  it('that fails by a mistake of ours is no answer to a client', async () => {
    const { door, admit } = setUp();
    door.answer = () => Promise.reject(new TypeError('a mistake'));
    await expect(admit('Bearer a')).rejects.toThrow('a mistake');
  });
});
