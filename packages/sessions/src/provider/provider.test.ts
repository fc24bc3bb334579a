import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ProviderFailureReason } from '../session/provider-failure-texts.js';
import type { ProviderFailure } from '../session/provider-failures.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Secret } from '../vault/secret.js';
import { Provider } from './provider.js';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

type Answer = (url: URL, form: URLSearchParams) => Response;

const ISSUER = 'https://id.test';
const ENTRA = 'https://login.microsoftonline.com';

function providerOf(
  answers: Readonly<Record<string, Answer>>,
  options: Partial<ProviderOptions> = {},
  clock = new VirtualClock(),
) {
  const revoked: (string | null)[] = [];
  const errors: string[] = [];
  const { issuer = ISSUER } = options;
  const settings = providerSettings({ name: 'idp', clientId: 'client', ...options, issuer });
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(String(input));
    const form = new URLSearchParams(String(init?.body));
    const answer = answers[url.pathname];
    if (answer) return answer(url, form);
    if (url.pathname === '/revoke') {
      revoked.push(form.get('token'));
      return new Response();
    }
    return Response.json(metadataOf(issuer));
  };
  const onError = (error: unknown) => errors.push(String(error));
  const failures: ProviderFailure[] = [];
  const report = (failure: ProviderFailure) => void failures.push(failure);
  const provider = new Provider(settings, { clock, fetch, onError, report });
  return { provider, revoked, errors, failures };
}

function metadataOf(issuer: string) {
  return {
    issuer: issuer.replace('common', '{tenantid}'),
    authorization_endpoint: `${ISSUER}/authorize`,
    token_endpoint: `${ISSUER}/token`,
    revocation_endpoint: `${ISSUER}/revoke`,
    userinfo_endpoint: `${ISSUER}/userinfo`,
    code_challenge_methods_supported: ['S256'],
  };
}

function granting(claims?: object): Answer {
  return () =>
    Response.json({
      access_token: 'access',
      refresh_token: 'refresh',
      token_type: 'Bearer',
      ...(claims && { id_token: idToken(claims) }),
    });
}

function idToken(claims: object): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const nowSeconds = Math.floor(Date.now() / 1000);
  const times = { iat: nowSeconds, exp: nowSeconds + 60 };
  const everything = { iss: ISSUER, sub: 'alice', aud: 'client', ...times, ...claims };
  return `${part({ alg: 'RS256' })}.${part(everything)}.${part('signature')}`;
}

function loginAt(provider: Provider, state = 'state') {
  return provider.exchange(new URL(`https://mcp.test/callback?code=c&state=${state}`), {
    state: Secret.fromString(state),
    nonce: Secret.fromString('nonce'),
    codeVerifier: Secret.fromString('verifier-'.repeat(6)),
  });
}

describe('a refresh at a provider with several tenants', () => {
  const refreshed = async (claims: object) => {
    const { provider } = providerOf({ '/token': granting(claims) }, { issuer: `${ENTRA}/common/v2.0` });
    return provider.refresh(Secret.fromString('refresh'));
  };

  it('accepts the issuer of the tenant that the ID token names', async () => {
    expect(await refreshed({ iss: `${ENTRA}/t-1/v2.0`, tid: 't-1' })).toMatchObject({
      kind: 'granted',
      granted: { identity: { subject: 'alice' } },
    });
  });

  it.each<[string, object]>([
    ['another tenant', { iss: `${ENTRA}/t-2/v2.0`, tid: 't-1' }],
    ['no tenant', { iss: `${ENTRA}/t-1/v2.0` }],
    ['another issuer', { iss: 'https://other.test/t-1/v2.0', tid: 't-1' }],
  ])('rejects the issuer of %s [security 23]', async (_what, claims) => {
    expect(await refreshed(claims)).toMatchObject({ granted: { nonconformance: 'issuer_changed' } });
  });
});

describe('a login whose tokens cannot be used', () => {
  it.each<[string, object | undefined]>([
    ['a wrong nonce', { nonce: 'other' }],
    ['another issuer', { nonce: 'nonce', iss: 'https://other.test' }],
    ['no ID token', undefined],
  ])('because of %s revokes them [security 12]', async (_what, claims) => {
    const { provider, revoked } = providerOf({ '/token': granting(claims) });
    await expect(loginAt(provider)).rejects.toThrow();
    await expect.poll(() => revoked).toEqual(['refresh', 'access']);
  });

  it('does not affect a concurrent login', async () => {
    let nonce = 'other';
    const answer: Answer = (...request) => {
      const response = granting({ nonce })(...request);
      nonce = 'nonce';
      return response;
    };
    const { provider, revoked } = providerOf({ '/token': answer });
    const [bad, good] = await Promise.allSettled([loginAt(provider, 'one'), loginAt(provider, 'two')]);
    expect([bad.status, good.status]).toEqual(['rejected', 'fulfilled']);
    await expect.poll(() => revoked).toEqual(['refresh', 'access']);
  });

  it('revokes nothing if the provider granted nothing', async () => {
    const answer = () => Response.json({ error: 'invalid_grant' }, { status: 400 });
    const { provider, revoked } = providerOf({ '/token': answer });
    await expect(loginAt(provider)).rejects.toThrow();
    await provider.revoke({ accessToken: Secret.fromString('mark'), refreshToken: undefined });
    expect(revoked).toEqual(['mark']);
  });
});

describe('user info', () => {
  const loginWith = (answer: Answer) => {
    const { provider, revoked } = providerOf(
      { '/token': granting(), '/userinfo': answer },
      { scopes: ['repo'] },
    );
    return { login: loginAt(provider), revoked };
  };
  const challenge = { 'www-authenticate': 'Bearer error="invalid_token"' };

  it('identifies the user', async () => {
    const { login } = loginWith(() => Response.json({ sub: 'alice', name: 'Alice' }));
    expect(await login).toMatchObject({ identity: { subject: 'alice', name: 'Alice' } });
  });

  it.each<[string, () => Response, object]>([
    ['429', () => new Response(null, { status: 429, headers: { 'retry-after': '7' } }), later(7)],
    ['503', () => new Response('<h1>', { status: 503 }), later(60)],
    ['401', () => new Response(null, { status: 401 }), refused('user_info_rejected')],
    [
      '401 with a challenge',
      () => new Response(null, { status: 401, headers: challenge }),
      refused('user_info_rejected'),
    ],
    ['403', () => Response.json({ sub: 'alice' }, { status: 403 }), refused('user_info_rejected')],
    ['404', () => new Response(null, { status: 404 }), refused('user_info_failed', { status: 404 })],
    ['more than may be', () => Response.json({ sub: 'x'.repeat(300 * 1024) }), refused('user_info_invalid')],
    ['much more', () => Response.json({ sub: 'x'.repeat(2 * 1024 * 1024) }), refused('user_info_invalid')],
    [
      'without a subject',
      () => Response.json({ name: 'Alice' }),
      refused('identity_missing', { claim: 'sub' }),
    ],
    ['HTML', () => new Response('<h1>'), refused('user_info_invalid')],
  ])('%s ends the login with the reason, and revokes its tokens', async (_what, answer, error) => {
    const { login, revoked } = loginWith(answer);
    await expect(login).rejects.toMatchObject(error);
    await expect.poll(() => revoked).toEqual(['refresh', 'access']);
  });

  function later(retryAfterSeconds: number) {
    return { code: 'provider_unavailable', retryAfterSeconds };
  }

  function refused(reason: ProviderFailureReason, found: Partial<ProviderFailure> = {}) {
    const message = expect.stringMatching(/Ask the operator of this server/);
    return { code: 'provider_refused', message, failure: { step: 'user_info', reason, ...found } };
  }
});

describe('a configured `revoke`', () => {
  const tokens = () => ({
    accessToken: Secret.fromString('access'),
    refreshToken: Secret.fromString('refresh'),
  });

  it('gets the tokens as text, instead of the revocation endpoint', async () => {
    const revoke = vi.fn<NonNullable<ProviderOptions['revoke']>>(async () => undefined);
    const { provider, revoked } = providerOf({}, { revoke });
    expect(await provider.revoke(tokens())).toBe('confirmed');
    expect(revoke.mock.calls[0]?.[0]).toEqual({ accessToken: 'access', refreshToken: 'refresh' });
    expect(revoked).toEqual([]);
    await provider.revoke({ accessToken: Secret.fromString('other'), refreshToken: undefined });
    expect(revoke.mock.calls[1]?.[0]).toEqual({ accessToken: 'other', refreshToken: undefined });
  });

  it('has five seconds, and leaves the revocation unconfirmed after that', async () => {
    const clock = new VirtualClock();
    let given: AbortSignal | undefined;
    const revoke = (_tokens: object, signal: AbortSignal) => {
      given = signal;
      return new Promise<void>(() => undefined);
    };
    const { provider, failures } = providerOf({}, { revoke }, clock);
    const revocation = provider.revoke(tokens());
    await clock.advance(4999);
    expect(given?.aborted).toBe(false);
    await clock.advance(1);
    expect(given?.aborted).toBe(true);
    expect(await revocation).toBe('unconfirmed');
    expect(failures).toMatchObject([{ reason: 'revoke_failed', code: 'TimeoutError' }]);
    expect(clock.timers).toBe(0);
  });

  it('does not end the process when a listener of its signal throws', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown) => uncaught.push(error);
    process.on('uncaughtException', note);
    onTestFinished(() => void process.off('uncaughtException', note));
    const clock = new VirtualClock();
    let calls = 0;
    const revoke = (_tokens: object, signal: AbortSignal) => {
      signal.addEventListener('abort', () => {
        calls++;
        throw new Error('a mistake');
      });
      return new Promise<void>(() => undefined);
    };
    const { provider, errors } = providerOf({}, { revoke }, clock);
    const revocation = provider.revoke(tokens());
    await clock.advance(5000);
    expect(await revocation).toBe('unconfirmed');
    expect(errors).toEqual(['AuthorError: A listener of the signal of `revoke` of "idp" failed: Error.']);
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toBe(1);
    expect(uncaught).toEqual([]);
  });
});

describe('the fence of a refresh', () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });

  it.each<[string, Partial<ProviderOptions>]>([
    ['a public client', {}],
    ['a client that signs an assertion before it sends', { clientKey: { ...key, alg: 'ES256' } }],
  ])('is looked at in the tick of sending: %s [security 52]', async (_what, options) => {
    const sent: string[] = [];
    const granted: Answer = (url, form) => {
      sent.push('request');
      return granting()(url, form);
    };
    const { provider } = providerOf({ '/token': granted }, options);
    const beforeSend = async () => () => {
      const mayBeSent = sent.length === 0;
      sent.push('look');
      // Another tick would come before a request that is not sent in this one.
      queueMicrotask(() => sent.push('later'));
      return mayBeSent;
    };
    const refresh = () => provider.refresh(Secret.fromString('refresh'), beforeSend);
    expect(await refresh()).toMatchObject({ kind: 'granted' });
    expect(sent.slice(0, 3)).toEqual(['look', 'request', 'later']);
    expect(await refresh()).toEqual({ kind: 'unwanted' });
    expect(sent.filter((each) => each === 'request')).toHaveLength(1);
  });

  it('is not asked for without metadata, and without it nothing is sent', async () => {
    let claims = 0;
    const token = vi.fn(granting());
    const answers = { '/token': token };
    const refused = async () => {
      claims++;
      return undefined;
    };
    const { provider } = providerOf(answers);
    expect(await provider.refresh(Secret.fromString('refresh'), refused)).toEqual({ kind: 'unwanted' });
    const down: Answer = () => new Response(null, { status: 503 });
    const paths = ['openid-configuration', 'oauth-authorization-server'];
    const outage = Object.fromEntries(paths.map((path) => [`/.well-known/${path}`, down]));
    const { provider: unreachable } = providerOf({ ...answers, ...outage });
    const outcome = await unreachable.refresh(Secret.fromString('refresh'), refused);
    expect([outcome.kind, claims]).toEqual(['unavailable', 1]);
    expect(token).not.toHaveBeenCalled();
  });
});
