import { exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT, UnsecuredJWT } from 'jose';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SessionError, storeUnavailable } from '../errors.js';
import { MapOneTimeStore } from '../store/map-one-time-store.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { LogoutTokenVerifier } from './logout-token.js';

const ISSUER = 'https://provider.test';
const CLIENT = 'mcp-server';
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const NOW_SECONDS = 1_800_000_000;
const TOLERANCE_SECONDS = 60;

async function createKey(kid: string, alg = 'ES256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

type Key = Awaited<ReturnType<typeof createKey>>;
let key: Key;
let other: Key;

beforeAll(async () => {
  key = await createKey('first');
  other = await createKey('second');
});

let tokens = 0;

/** The claims of a valid token; `undefined` removes one. */
function claimsOf(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const claims = {
    iss: ISSUER,
    aud: CLIENT,
    sub: 'alice',
    sid: 's-1',
    iat: NOW_SECONDS,
    exp: NOW_SECONDS + 120,
    jti: `jti-${tokens++}`,
    events: { [EVENT]: {} },
    ...changes,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}

function sign(
  changes: Record<string, unknown> = {},
  { by = key, header = {} }: { by?: Key; header?: Partial<JWTHeaderParameters> } = {},
): Promise<string> {
  return new SignJWT(claimsOf(changes))
    .setProtectedHeader({ alg: by.alg, kid: by.kid, typ: 'logout+jwt', ...header })
    .sign(by.privateKey);
}

function signCritical(): Promise<string> {
  return new SignJWT(claimsOf())
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'logout+jwt', crit: ['x'], x: 1 })
    .sign(key.privateKey, { crit: { x: true } });
}

function setUp({ hasKeys = true } = {}) {
  const clock = new VirtualClock();
  const published = { keys: [key], requests: 0, isDown: false };
  const time = { nowSeconds: NOW_SECONDS };
  const oneTime = new MapOneTimeStore(clock);
  const verifier = new LogoutTokenVerifier({
    issuer: async () => ({ issuer: ISSUER, hasKeys }),
    clientId: CLIENT,
    toleranceSeconds: TOLERANCE_SECONDS,
    clock,
    oneTime,
    requestKeys: async () => {
      published.requests++;
      if (published.isDown) throw new SessionError('provider_unavailable', 'Not now.');
      return { keys: published.keys.map(({ jwk }) => jwk) };
    },
    wallClock: () => time.nowSeconds * 1000,
  });
  const verify = async (token: string | Promise<string>) => verifier.verify(await token);
  return { clock, published, time, oneTime, verify };
}

const named = (logout: object) => ({ logout, release: expect.any(Function) });

describe('a logout token', () => {
  it.each([
    ['with user and session', {}, { subject: 'alice', session: 's-1' }],
    ['with a user only', { sid: undefined }, { subject: 'alice' }],
    ['with a session only', { sub: undefined }, { session: 's-1' }],
    ['without an expiry', { exp: undefined }, { subject: 'alice', session: 's-1' }],
    ['with several audiences', { aud: ['x', CLIENT] }, { subject: 'alice', session: 's-1' }],
    ['with further members of the event', { events: { [EVENT]: { a: 1 }, x: {} } }, expect.anything()],
  ])('%s names who has logged out', async (_name, changes, logout) => {
    expect(await setUp().verify(sign(changes))).toEqual(named(logout));
  });

  it.each([undefined, 'JWT', 'logout+jwt', 'application/logout+jwt', 'LOGOUT+JWT'])(
    'may have the type %s',
    async (typ) => {
      expect(await setUp().verify(sign({}, { header: { typ } as JWTHeaderParameters }))).toEqual(
        named(expect.anything()),
      );
    },
  );

  it.each<[string, Record<string, unknown>, string]>([
    ['of another issuer', { iss: 'https://evil.test' }, 'issuer'],
    ['without an issuer', { iss: undefined }, 'issuer'],
    ['for another client', { aud: 'other' }, 'audience'],
    ['without an audience', { aud: undefined }, 'audience'],
    ['without user and session', { sub: undefined, sid: undefined }, 'claims'],
    ['with a user that is no text', { sub: 7 }, 'claims'],
    ['with an empty user', { sub: '' }, 'claims'],
    ['with a session that is no text', { sid: ['s-1'] }, 'claims'],
    ['without an id', { jti: undefined }, 'claims'],
    ['with an id that is no text', { jti: 1 }, 'claims'],
    ['with a nonce', { nonce: 'n' }, 'claims'],
    ['without events', { events: undefined }, 'claims'],
    ['with another event', { events: { 'https://other.test': {} } }, 'claims'],
    ['with an event that is no object', { events: { [EVENT]: true } }, 'claims'],
    ['with events that are a list', { events: [EVENT] }, 'claims'],
    ['without the time of issue', { iat: undefined }, 'claims'],
    ['issued in the future', { iat: NOW_SECONDS + TOLERANCE_SECONDS + 1 }, 'claims'],
    ['that is not valid yet', { nbf: NOW_SECONDS + TOLERANCE_SECONDS + 1 }, 'claims'],
    ['that has expired', { exp: NOW_SECONDS - TOLERANCE_SECONDS }, 'expired'],
    ['issued more than ten minutes ago', { iat: NOW_SECONDS - 661, exp: NOW_SECONDS + 9999 }, 'expired'],
  ])('%s is refused [security 59]', async (_name, changes, fault) => {
    const { verify } = setUp();
    expect(await verify(sign(changes))).toEqual({ fault });
  });

  it.each<[string, string | (() => Promise<string>), string]>([
    ['without a signature', () => Promise.resolve(new UnsecuredJWT(claimsOf()).encode()), 'signature'],
    ['of an unknown key', () => sign({}, { by: other }), 'signature'],
    ['with the key id of another key', () => sign({}, { by: other, header: { kid: 'first' } }), 'signature'],
    ['of the type of an access token', () => sign({}, { header: { typ: 'at+jwt' } }), 'claims'],
    ['with an unknown extension that is critical', signCritical, 'signature'],
    ['that is no JWT', 'abc', 'malformed'],
    ['that is empty', '', 'malformed'],
    ['that is too long', `${'a'.repeat(9000)}.b.c`, 'malformed'],
  ])('%s is refused [security 59]', async (_name, token, fault) => {
    const { verify } = setUp();
    expect(await verify(typeof token === 'string' ? token : token())).toEqual({ fault });
  });

  it('signed with a shared secret is refused, also with the public key as the secret [security 59]', async () => {
    const { verify } = setUp();
    const secret = new TextEncoder().encode(JSON.stringify(key.jwk));
    const token = await new SignJWT(claimsOf())
      .setProtectedHeader({ alg: 'HS256', kid: key.kid, typ: 'logout+jwt' })
      .sign(secret);
    expect(await verify(token)).toEqual({ fault: 'signature' });
  });

  it('is refused without keys of the provider', async () => {
    const { verify } = setUp({ hasKeys: false });
    expect(await verify(sign())).toEqual({ fault: 'signature' });
  });

  it('causes a request for keys only if its claims fit [security 40]', async () => {
    const { published, verify } = setUp();
    for (const changes of [{ iss: 'https://evil.test' }, { aud: 'x' }, { nonce: 'n' }, { sub: '', sid: '' }])
      await verify(sign(changes, { by: other }));
    expect(published.requests).toBe(0);
    await verify(sign({}, { by: other }));
    expect(published.requests).toBe(1);
  });

  it('is neither accepted nor refused while the keys are not available', async () => {
    const { published, verify } = setUp();
    published.isDown = true;
    const token = await sign();
    await expect(verify(token)).rejects.toThrow('Not now.');
    published.isDown = false;
    expect(await verify(token)).toEqual(named({ subject: 'alice', session: 's-1' }));
  });

  it('with a key that was published later is accepted', async () => {
    const { published, verify } = setUp();
    await verify(sign());
    published.keys = [other];
    published.requests = 0;
    // jose requests keys again after 30 seconds only.
    vi.useFakeTimers({ now: Date.now() + 31_000, toFake: ['Date'] });
    try {
      expect(await verify(sign({}, { by: other }))).toEqual(named(expect.anything()));
      expect(published.requests).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a logout token that was used', () => {
  it('is refused until it is too old [security 59]', async () => {
    const { clock, time, verify } = setUp();
    const token = await sign({ exp: undefined });
    expect(await verify(token)).toEqual(named(expect.anything()));
    for (const afterSeconds of [0, 300, 359]) {
      clock.jump(afterSeconds * 1000);
      time.nowSeconds += afterSeconds;
      expect(await verify(token)).toEqual({ fault: 'replayed' });
    }
    clock.jump(2000);
    time.nowSeconds += 2;
    expect(await verify(token)).toEqual({ fault: 'expired' });
  });

  it('is refused although another token came meanwhile with another id', async () => {
    const { verify } = setUp();
    const [first, second] = [await sign(), await sign()];
    expect(await verify(first)).toEqual(named(expect.anything()));
    expect(await verify(second)).toEqual(named(expect.anything()));
    expect(await verify(first)).toEqual({ fault: 'replayed' });
  });

  it('is accepted again after its release, because the logout failed', async () => {
    const { verify } = setUp();
    const token = await sign();
    const first = await verify(token);
    if ('release' in first) await first.release();
    expect(await verify(token)).toEqual(named(expect.anything()));
    expect(await verify(token)).toEqual({ fault: 'replayed' });
  });

  it('is accepted again if it is not known whether it was used, because the provider sends it again', async () => {
    const { oneTime, verify } = setUp();
    const use = oneTime.use.bind(oneTime);
    oneTime.use = (...used) => {
      use(...used);
      oneTime.use = use;
      throw storeUnavailable(new Error('lost'));
    };
    const token = await sign();
    await expect(verify(token)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await verify(token)).toEqual(named(expect.anything()));
    expect(await verify(token)).toEqual({ fault: 'replayed' });
  });

  it('is accepted by one of two calls at the same time', async () => {
    const { verify } = setUp();
    const token = await sign();
    const results = await Promise.all([verify(token), verify(token)]);
    expect(results.filter((result) => 'logout' in result)).toHaveLength(1);
  });
});

describe('changed logout tokens', () => {
  it('are refused, whatever was changed [security 59]', async () => {
    const { verify } = setUp();
    const token = await sign();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.';
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    const faults = new Set<string>();
    // The last character of a part may have unused bits.
    const ends = [...token.matchAll(/[.]|$/g)].map(({ index }) => index - 1);
    for (let round = 0; round < 300; round++) {
      const at = random(token.length);
      const letter = alphabet.charAt(random(alphabet.length));
      if (letter === token[at] || ends.includes(at)) continue;
      const result = await verify(token.slice(0, at) + letter + token.slice(at + 1));
      expect(result, `character ${at} is ${letter}`).not.toHaveProperty('logout');
      if ('fault' in result) faults.add(result.fault);
    }
    expect(faults.size).toBeGreaterThan(2);
    expect(await verify(token)).toEqual(named(expect.anything()));
  });
});
