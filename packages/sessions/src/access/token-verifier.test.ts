import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import {
  type CryptoKey,
  decodeProtectedHeader,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SessionError } from '../errors.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { TokenVerifier, type TokenVerifierOptions } from './token-verifier.js';

const AUDIENCE = 'https://mcp.test/mcp';
const SECOND = 1000;

interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

async function createKey(alg: string, kid = `${alg}-1`): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** An issuer that serves its keys over HTTP. */
class KeyServer {
  keys: Key[] = [];
  requests = 0;
  status = 200;
  #server: Server | undefined;
  issuer = '';

  async start(port = 0): Promise<void> {
    this.#server = createServer((_request, response) => {
      this.requests++;
      response.writeHead(this.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) }));
    });
    await new Promise<void>((resolve) => this.#server?.listen(port, '127.0.0.1', resolve));
    // A TCP server has an AddressInfo.
    const address = this.#server.address() as AddressInfo;
    this.issuer = `http://127.0.0.1:${address.port}`;
  }

  async requestKeys(): Promise<object> {
    const response = await fetch(new URL('/jwks', this.issuer));
    if (!response.ok) throw new Error('The keys are not available.');
    return response.json() as Promise<object>;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    const closed = new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
    server?.closeAllConnections();
    await closed;
  }
}

let server: KeyServer;
let key: Key;

beforeEach(async () => {
  server = new KeyServer();
  key = await createKey('ES256');
  server.keys = [key];
  await server.start();
});

afterEach(async () => {
  vi.useRealTimers();
  await server.stop();
});

function verifierOf(options: Partial<TokenVerifierOptions> = {}) {
  return new TokenVerifier({
    tokenIssuer: { requestKeys: () => server.requestKeys() },
    expectations: () => ({ issuer: server.issuer, audience: AUDIENCE, subjectClaim: 'sub' }),
    clock: new VirtualClock(),
    ...options,
  });
}

const nowSeconds = () => Math.floor(Date.now() / SECOND);

function goodClaims(): Record<string, unknown> {
  return {
    iss: server.issuer,
    aud: AUDIENCE,
    sub: 'alice',
    client_id: 'client',
    iat: nowSeconds(),
    exp: nowSeconds() + 60,
    scope: 'mcp',
  };
}

function sign(
  claims: Record<string, unknown> = {},
  { by = key, header = {} }: { by?: Key; header?: Partial<JWTHeaderParameters> } = {},
): Promise<string> {
  const given = Object.entries({ ...goodClaims(), ...claims }).filter(([, value]) => value !== undefined);
  return new SignJWT(Object.fromEntries(given))
    .setProtectedHeader({ alg: by.alg, kid: by.kid, typ: 'at+jwt', ...header })
    .sign(by.privateKey);
}

const invalid = { reason: expect.any(String), fault: expect.any(String) };
const named = { principal: { subject: 'alice', clientId: 'client', scopes: ['mcp'] } };

describe('a JWT', () => {
  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])(
    'signed with %s by the issuer for this server names its principal [security 4, 9]',
    async (alg) => {
      const signer = await createKey(alg, 'signer');
      server.keys = [key, signer];
      expect(await verifierOf().verify(await sign({}, { by: signer }))).toMatchObject(named);
    },
  );

  it.each<[what: string, claims: Record<string, unknown>]>([
    ['of another issuer', { iss: 'https://other.test' }],
    ['without an issuer', { iss: undefined }],
    ['issued for another resource', { aud: 'https://other.test/mcp' }],
    ['issued for no resource', { aud: undefined }],
    ['that has expired', { exp: 1_700_000_000 }],
    ['that is not valid yet', { nbf: 4_000_000_000 }],
    ['without an expiry', { exp: undefined }],
    ['whose expiry is not a number', { exp: 'tomorrow' }],
    ['without a subject', { sub: undefined }],
    ['without a client id', { client_id: undefined }],
  ])('%s is rejected although its signature is valid [security 9]', async (_what, claims) => {
    expect(await verifierOf().verify(await sign(claims))).toMatchObject(invalid);
  });

  it.each<[reason: string, forge: () => Promise<string> | string, fault: RegExp]>([
    ['audience', () => sign({ aud: undefined }), /no audience \(aud\); this server expects/],
    ['audience', () => sign({ aud: 'https://other.test/mcp' }), /other\.test\/mcp; this server expects/],
    ['issuer', () => sign({ iss: 'https://other.test' }), /other\.test; this server accepts tokens of/],
    ['expired', () => sign({ exp: 1_700_000_000 }), /has expired/],
    ['not_yet_valid', () => sign({ nbf: 4_000_000_000 }), /not valid yet/],
    ['signature', async () => sign({}, { by: await createKey('ES256', key.kid) }), /signature/],
    [
      'unknown_key',
      async () => sign({}, { by: await createKey('ES256', 'unknown') }),
      /key that .* publishes/,
    ],
    ['algorithm', () => new UnsecuredJWT(goodClaims()).encode(), /Accepted algorithms are RS256/],
    [
      'algorithm',
      () => `${Buffer.from('{"alg":"ES256","crit":["x"],"x":1}').toString('base64url')}.e30.AA`,
      /extension/,
    ],
    ['malformed', async () => `${(await sign()).split('.')[0]}.e30.!`, /not a well-formed JWT/],
    ['malformed', () => sign({ iss: 7 }), /claim iss/],
    ['token_type', () => sign({}, { header: { typ: 'logout+jwt' } }), /typ is logout\+jwt/],
    ['refresh_token', () => sign({}, { header: { typ: 'rt+jwt' } }), /refresh token/],
    ['refresh_token', () => sign({ token_use: 'refresh' }), /refresh token/],
    ['id_token', () => sign({ at_hash: 'h' }), /ID token/],
    ['key_bound', () => sign({}, { header: { typ: 'dpop+jwt' } }), /bound to a key/],
    ['key_bound', () => sign({ cnf: { jkt: 'x' } }), /bound to a key/],
    ['opaque', () => 'opaque-token', /introspection/],
  ])('or another token is refused with a reason of its own: %s (%#)', async (reason, forge, fault) => {
    expect(await verifierOf().verify(await forge())).toEqual({ reason, fault: expect.stringMatching(fault) });
  });

  it('without a key id is rejected with that reason if the issuer publishes several keys', async () => {
    server.keys = [key, await createKey('ES256', 'second')];
    const token = await sign({}, { header: { kid: undefined } as unknown as Partial<JWTHeaderParameters> });
    expect(await verifierOf().verify(token)).toEqual({
      reason: 'unknown_key',
      fault: expect.stringMatching(/does not name its key/),
    });
  });

  it('that expired a moment ago is rejected despite the clock tolerance', async () => {
    const end = nowSeconds() + 60;
    const token = await sign({ exp: end });
    const wallClock = () => end * SECOND;
    expect(await verifierOf({ wallClock }).verify(token)).toMatchObject(invalid);
    expect(await verifierOf({ wallClock: () => end * SECOND - 1 }).verify(token)).toMatchObject(named);
  });

  it('is checked against the configured wall clock', async () => {
    const then = 1_700_000_000;
    const token = await sign({ iat: then, exp: then + 60 });
    expect(await verifierOf({ wallClock: () => then * SECOND }).verify(token)).toMatchObject(named);
  });

  it('without a signature is rejected', async () => {
    const unsecured = new UnsecuredJWT(goodClaims()).encode();
    const [header, payload] = unsecured.split('.');
    for (const token of [unsecured, `${header}.${payload}.AAAA`]) {
      expect(await verifierOf().verify(token)).toMatchObject(invalid);
    }
  });

  it('signed with the public key as a secret is rejected', async () => {
    const rsa = await createKey('RS256');
    server.keys = [rsa];
    const secrets = [await exportSPKI(rsa.publicKey), JSON.stringify(rsa.jwk), rsa.jwk.n ?? ''];
    for (const secret of secrets) {
      const forged = await new SignJWT(goodClaims())
        .setProtectedHeader({ alg: 'HS256', kid: rsa.kid, typ: 'at+jwt' })
        .sign(new TextEncoder().encode(secret));
      expect(await verifierOf().verify(forged)).toMatchObject(invalid);
    }
  });

  it('signed with a secret is rejected even if the issuer publishes that secret among its keys', async () => {
    const secret = new TextEncoder().encode('a secret that the issuer publishes');
    const jwk = { ...(await exportJWK(secret)), kid: 'secret', alg: 'HS256' };
    server.keys = [key, { ...key, jwk }];
    const token = await new SignJWT(goodClaims())
      .setProtectedHeader({ alg: 'HS256', kid: 'secret', typ: 'at+jwt' })
      .sign(secret);
    expect(await verifierOf().verify(token)).toMatchObject(invalid);
  });

  it('signed with another key under the id of the issuer’s key is rejected', async () => {
    const forger = await createKey('ES256', key.kid);
    const token = await sign({}, { by: forger });
    expect(await verifierOf().verify(token)).toMatchObject(invalid);
  });

  it('that contains its own key, or the address of one, is rejected', async () => {
    const forger = await createKey('ES256', 'own');
    for (const header of [{ jwk: forger.jwk }, { jku: 'https://forger.test/jwks' }]) {
      const token = await sign({}, { by: forger, header });
      expect(await verifierOf().verify(token)).toMatchObject(invalid);
    }
  });

  it('that was modified is rejected', async () => {
    const [header, , signature] = (await sign()).split('.');
    const payload = Buffer.from(JSON.stringify({ ...goodClaims(), sub: 'mallory' })).toString('base64url');
    expect(await verifierOf().verify(`${header}.${payload}.${signature}`)).toMatchObject(invalid);
  });

  it.each(['a.b.c', 'e30.e30.e30', `${Buffer.from('{"alg":7}').toString('base64url')}.e30.AA`])(
    'that is not well-formed, such as %s, is rejected',
    async (token) => {
      expect(await verifierOf().verify(token)).toMatchObject(invalid);
    },
  );
});

describe('an ID token', () => {
  /** The claims of a provider's ID token. */
  const ofClient = { nonce: 'n', at_hash: 'h', scope: undefined, client_id: undefined, azp: 'client' };

  it('is rejected, because its audience is the client', async () => {
    const token = await sign({ ...ofClient, aud: 'client' }, { header: { typ: 'JWT' } });
    expect(await verifierOf().verify(token)).toMatchObject(invalid);
  });

  it.each<[what: string, claims: Record<string, unknown>]>([
    ['a hash of the access token', ofClient],
    ['a hash of the code', { ...ofClient, at_hash: undefined, c_hash: 'h' }],
    ['its type among its claims', { ...ofClient, at_hash: undefined, typ: 'ID' }],
  ])('is rejected by its %s if the audience of this server is a client id', async (_what, claims) => {
    const token = await sign(claims, { header: { typ: 'JWT' } });
    expect(await verifierOf().verify(token)).toMatchObject(invalid);
  });

  it.each(['logout+jwt', 'secevent+jwt', 'dpop+jwt', 'token-introspection+jwt', 'oauth-authz-req+jwt'])(
    'and every JWT of the type %s is rejected',
    async (typ) => {
      expect(await verifierOf().verify(await sign({}, { header: { typ } }))).toMatchObject(invalid);
    },
  );

  it.each(['at+jwt', 'application/at+jwt', 'AT+JWT', 'JWT', undefined])(
    'differs from an access token of the type %s, which is accepted',
    async (typ) => {
      const token = await sign({}, { header: { typ } as Partial<JWTHeaderParameters> });
      expect(await verifierOf().verify(token)).toMatchObject(named);
    },
  );
});

describe('the issuer’s keys', () => {
  it('are requested once for many tokens', async () => {
    const verifier = verifierOf();
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, jti) => sign({ jti: `${jti}` })));
    for (const read of await Promise.all(tokens.map((token) => verifier.verify(token)))) {
      expect(read).toMatchObject(named);
    }
    expect(server.requests).toBe(1);
  });

  it('are not requested again for every token with an unknown key', async () => {
    const verifier = verifierOf();
    const unknown = await createKey('ES256', 'unknown');
    for (let tokens = 0; tokens < 5; tokens++) {
      expect(await verifier.verify(await sign({ jti: `${tokens}` }, { by: unknown }))).toMatchObject(invalid);
    }
    expect(server.requests).toBe(1);
  });

  it('can be replaced: tokens of the new key are accepted, and those of the old key are rejected', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const verifier = verifierOf();
    expect(await verifier.verify(await sign())).toMatchObject(named);
    const next = await createKey('ES256', 'next');
    server.keys = [next];
    vi.setSystemTime(Date.now() + 31 * SECOND);
    expect(await verifier.verify(await sign({}, { by: next }))).toMatchObject(named);
    expect(await verifier.verify(await sign())).toMatchObject(invalid);
  });

  it('that are unavailable are a server error, and are requested again for the next token', async () => {
    const { port } = new URL(server.issuer);
    await server.stop();
    const verifier = verifierOf();
    const token = await sign();
    await expect(verifier.verify(token)).rejects.toMatchObject({
      code: 'provider_unavailable',
      message: expect.stringMatching(/Try again/),
      retryAfterSeconds: 60,
    });
    await server.start(Number(port));
    server.status = 500;
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'provider_unavailable' });
    server.status = 200;
    expect(await verifier.verify(token)).toMatchObject(named);
  });
});

describe('an opaque token', () => {
  const opaque = 'opaque-token';
  const asked = (answer: unknown) =>
    verifierOf({
      tokenIssuer: {
        requestKeys: () => Promise.reject(new Error('No test requests the keys.')),
        introspect: async () => answer,
      },
    });

  it('is rejected without introspection', async () => {
    expect(await verifierOf().verify(opaque)).toMatchObject(invalid);
    expect(server.requests).toBe(0);
  });

  it('waits while fifty introspections are in flight, and gets an error when a thousand tokens wait', async () => {
    const answers: (() => void)[] = [];
    const verifier = verifierOf({
      tokenIssuer: {
        requestKeys: () => Promise.reject(new Error('No test requests the keys.')),
        introspect: () => new Promise((resolve) => answers.push(() => resolve({ active: false }))),
      },
    });
    const asking = Array.from({ length: 1000 }, () => verifier.verify(opaque));
    await expect.poll(() => answers).toHaveLength(50);
    await expect(verifier.verify(opaque)).rejects.toMatchObject({
      code: 'limit_reached',
      retryAfterSeconds: 1,
    });
    for (let answered = 0; answered < 1000; answered++) {
      await expect.poll(() => answers.length).toBeGreaterThan(answered);
      answers[answered]?.();
    }
    expect(await Promise.all(asking)).toHaveLength(1000);
    expect(answers).toHaveLength(1000);
  });

  it('is each token whose header jose cannot decode, or that does not have three parts', () => {
    const verifier = asked({ active: false });
    const header = fc.oneof(
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
      fc
        .record({ alg: fc.string() })
        .map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
      fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64url')),
    );
    // What `Authorization` may contain.
    const text = fc.string({ unit: fc.constantFrom(...'eyJhbGciOiJSUzI1NiJ9._-~+/') });
    const joined = (...parts: string[]) => parts.join('.');
    const token = fc.oneof(
      text,
      fc.tuple(header, text, text).map((parts) => joined(...parts)),
      fc.tuple(header, text).map(([first, more]) => joined(first + more, '', '')),
    );
    const isJwt = (value: string) => {
      try {
        return value.split('.').length === 3 && decodeProtectedHeader(value).alg !== undefined;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(token, (value) => {
        expect(verifier.isSelfContained(value)).toBe(isJwt(value));
      }),
    );
  });

  it('is introspected even if it has three parts', async () => {
    const verifier = asked({ active: false });
    for (const token of ['a.b.c', 'e30.e30.e30']) expect(await verifier.verify(token)).toMatchObject(invalid);
    expect(server.requests).toBe(0);
  });

  it('names the principal of the introspection response', async () => {
    expect(await asked({ ...goodClaims(), active: true }).verify(opaque)).toMatchObject(named);
  });

  it.each<[what: string, answer: unknown]>([
    ['is not active', { active: false }],
    ['says of itself only that it is not', { active: false, sub: 'alice' }],
    ['is active in words only', { active: 'true' }],
    ['is not said to be active', {}],
    ['is answered with nothing', null],
    ['is answered with a text', 'active'],
  ])('is rejected when it %s', async (_what, answer) => {
    const claims = typeof answer === 'object' && answer !== null ? { ...goodClaims(), ...answer } : answer;
    expect(await asked(claims).verify(opaque)).toMatchObject(invalid);
  });

  it.each<[what: string, claims: Record<string, unknown>]>([
    ['for another resource', { aud: 'https://other.test/mcp' }],
    ['for no resource', { aud: undefined }],
    ['of another issuer', { iss: 'https://other.test' }],
    ['of no client', { client_id: undefined }],
    ['without a subject', { sub: undefined }],
    ['of another time', { exp: 1_700_000_000 }],
  ])('is rejected when it is active %s [security 9]', async (_what, claims) => {
    expect(await asked({ ...goodClaims(), active: true, ...claims }).verify(opaque)).toMatchObject(invalid);
  });

  it('whose introspection fails is a server error, not a fault of the token', async () => {
    const error = new SessionError('provider_refused', 'Tell its operator.');
    const introspect = () => Promise.reject(error);
    const verifier = verifierOf({ tokenIssuer: { requestKeys: () => Promise.reject(error), introspect } });
    await expect(verifier.verify(opaque)).rejects.toBe(error);
  });
});
