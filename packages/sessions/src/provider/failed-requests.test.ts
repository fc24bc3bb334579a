import { describe, expect, it } from 'vitest';
import { type InternalEvent, providerFailed } from '../session/session-events.js';
import { connectionError } from '../testing/provider-faults.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Secret } from '../vault/secret.js';
import { AuthorizationServer } from './authorization-server.js';
import { Provider } from './provider.js';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

const ISSUER = 'https://id.test';
const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  userinfo_endpoint: `${ISSUER}/userinfo`,
  revocation_endpoint: `${ISSUER}/revoke`,
  device_authorization_endpoint: `${ISSUER}/device`,
  pushed_authorization_request_endpoint: `${ISSUER}/par`,
  introspection_endpoint: `${ISSUER}/introspect`,
  jwks_uri: `${ISSUER}/jwks`,
  code_challenge_methods_supported: ['S256'],
};
const CHECKS = () => ({
  state: Secret.fromString('state'),
  nonce: Secret.fromString('nonce'),
  codeVerifier: Secret.fromString('verifier-'.repeat(6)),
});
const TOKENS = () => ({
  accessToken: Secret.fromString('access'),
  refreshToken: Secret.fromString('refresh'),
});
const REDIRECT_URI = new URL('https://mcp.test/callback');

type Failing = () => Response;

/** A provider whose address `path` fails, and what it reports. */
function failingAt(path: string, fail: Failing, metadata: object = METADATA) {
  const events: InternalEvent[] = [];
  const clock = new VirtualClock();
  let requests = 0;
  const fetch: typeof globalThis.fetch = async (input) => {
    const { pathname } = new URL(String(input));
    if (pathname.startsWith(path)) {
      requests++;
      return fail();
    }
    if (pathname === '/token') return Response.json({ access_token: 'access', token_type: 'Bearer' });
    return pathname.startsWith('/.well-known/') ? Response.json(metadata) : new Response();
  };
  const runtime = {
    clock,
    fetch,
    onError: (error: unknown) => void events.push({ type: 'error', error } as never),
    report: (failure: Parameters<typeof providerFailed>[0]) => void events.push(providerFailed(failure)),
  };
  const providerWith = (options: Partial<ProviderOptions> = {}) =>
    new Provider(
      providerSettings({
        name: 'idp',
        issuer: ISSUER,
        clientId: 'client',
        scopes: ['a'],
        pushedAuthorization: true,
        deviceFlow: 'allowed',
        ...options,
      }),
      runtime,
    );
  const server = () =>
    new AuthorizationServer({
      settings: providerSettings({ issuer: ISSUER, clientId: 'client', clientSecret: 'secret' }),
      ...runtime,
    });
  return { events, clock, providerWith, server, requestCount: () => requests };
}

type Setup = ReturnType<typeof failingAt>;

/** Each request that this server sends to a provider: its address, its step, and how it is sent. */
const REQUESTS: readonly [what: string, path: string, step: string, send: (at: Setup) => Promise<unknown>][] =
  [
    ['discovery', '/.well-known/', 'discovery', ({ providerWith }) => providerWith().prepare()],
    [
      'discovery by several requests at once',
      '/.well-known/',
      'discovery',
      ({ providerWith }) => {
        const provider = providerWith();
        const refreshing = provider.refresh(Secret.fromString('refresh'));
        const polling = provider.pollDevice(Secret.fromString('device-code'));
        const others = [provider.prepare(), provider.requestKeys(), provider.revoke(TOKENS())];
        return Promise.allSettled([refreshing, polling, ...others]);
      },
    ],
    [
      'a pushed authorization request',
      '/par',
      'pushed_authorization',
      ({ providerWith }) => providerWith().authorizationUrl(REDIRECT_URI, CHECKS()),
    ],
    [
      'a code exchange',
      '/token',
      'token',
      ({ providerWith }) => providerWith().exchange(new URL('?code=c&state=state', REDIRECT_URI), CHECKS()),
    ],
    [
      'user info',
      '/userinfo',
      'user_info',
      ({ providerWith }) => providerWith().exchange(new URL('?code=c&state=state', REDIRECT_URI), CHECKS()),
    ],
    ['a device authorization', '/device', 'device', ({ providerWith }) => providerWith().authorizeDevice()],
    [
      'a poll of a device login',
      '/token',
      'device',
      ({ providerWith }) => providerWith().pollDevice(Secret.fromString('device-code')),
    ],
    [
      'a refresh',
      '/token',
      'refresh',
      ({ providerWith }) => providerWith().refresh(Secret.fromString('refresh')),
    ],
    ['a revocation', '/revoke', 'revocation', ({ providerWith }) => providerWith().revoke(TOKENS())],
    ['the keys of logout tokens', '/jwks', 'keys', ({ providerWith }) => providerWith().requestKeys()],
    ['discovery of the clients’ issuer', '/.well-known/', 'discovery', ({ server }) => server().metadata()],
    ['the keys of access tokens', '/jwks', 'keys', ({ server }) => server().requestKeys()],
    ['an introspection', '/introspect', 'introspection', ({ server }) => server().introspect('opaque')],
  ];

const refused: Failing = () => {
  throw connectionError('ECONNREFUSED');
};
const broken: Failing = () => {
  throw connectionError('ECONNRESET');
};
const untrusted: Failing = () => {
  throw connectionError('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
};

/** Ways to fail that are the same for every request: the reason, the setting, and what else is named. */
const FAULTS: readonly [how: string, fail: Failing, expected: object][] = [
  [
    'is refused',
    refused,
    { reason: 'connection_failed', setting: 'issuer, endpoints, HTTPS_PROXY', code: 'ECONNREFUSED' },
  ],
  ['loses its answer', broken, { reason: 'connection_lost', code: 'ECONNRESET' }],
  [
    'meets an untrusted certificate',
    untrusted,
    { reason: 'certificate_untrusted', setting: 'NODE_EXTRA_CA_CERTS' },
  ],
  [
    'is answered with 503',
    () => new Response(null, { status: 503 }),
    { reason: 'provider_busy', status: 503 },
  ],
];

/** The reason for an answer with 404, and the setting to change. */
const NOT_FOUND: Readonly<Record<string, readonly [reason: string, setting: string]>> = {
  discovery: ['discovery_failed', 'issuer'],
  keys: ['keys_failed', 'issuer, endpoints'],
  user_info: ['user_info_failed', 'endpoints, userInfoRequest'],
};
/** The reason for an answer with 200 that is a web page. */
const PAGE: Readonly<Record<string, readonly [reason: string, setting: string | undefined]>> = {
  discovery: ['discovery_failed', 'issuer'],
  keys: ['keys_invalid', 'issuer, endpoints'],
  user_info: ['user_info_invalid', 'endpoints, userInfoRequest'],
};

async function reportedFor(path: string, fail: Failing, send: (at: Setup) => Promise<unknown>) {
  const at = failingAt(path, fail);
  await send(at).catch(() => undefined);
  return at.events;
}

describe.each(REQUESTS)('%s that fails is reported once, with the cause and the setting', (...request) => {
  const [, path, step, send] = request;
  const endpoint =
    step === 'discovery' ? expect.stringContaining(`${ISSUER}/.well-known/`) : `${ISSUER}${path}`;

  it.each(FAULTS)('if it %s', async (_how, fail, expected) => {
    const advice = expect.any(String);
    expect(await reportedFor(path, fail, send)).toMatchObject([
      { type: 'provider.failed', step, endpoint, advice, ...expected },
    ]);
  });

  it('if it is answered with 404', async () => {
    const fail = () => new Response(null, { status: 404 });
    const [reason, setting] = NOT_FOUND[step] ?? ['token_error', 'clientAuthentication, endpoints'];
    expect(await reportedFor(path, fail, send)).toMatchObject([
      { type: 'provider.failed', step, endpoint, reason, setting, status: 404 },
    ]);
  });

  it('if it is answered with a web page', async () => {
    const fail = () => new Response('<h1>Welcome</h1>', { headers: { 'content-type': 'text/html' } });
    const [reason, setting] = PAGE[step] ?? ['html_answer', undefined];
    const [event, ...others] = await reportedFor(path, fail, send);
    expect(others).toEqual([]);
    expect(event).toMatchObject({ type: 'provider.failed', step, endpoint, reason });
    expect(event && 'setting' in event ? event.setting : undefined).toBe(setting);
  });
});

describe('keys', () => {
  it.each<[string, () => Response]>([
    ['no key set', () => Response.json({ keys: 'none' })],
    ['larger than 1 MiB', () => Response.json({ keys: [{ n: 'x'.repeat(1024 * 1024) }] })],
    ['not text', () => new Response(new Uint8Array([0xff, 0xfe]))],
  ])('that are %s are not used, which is reported once [security 40]', async (_what, fail) => {
    const events = await reportedFor('/jwks', fail, ({ server }) => server().requestKeys());
    expect(events).toMatchObject([{ step: 'keys', reason: 'keys_invalid', setting: 'issuer, endpoints' }]);
  });
});

describe('a request without an address', () => {
  it.each<[string, string, (at: Setup) => Promise<unknown>]>([
    ['jwks_uri', 'keys', ({ server }) => server().requestKeys()],
    ['introspection_endpoint', 'introspection', ({ server }) => server().introspect('t')],
    [
      'userinfo_endpoint',
      'user_info',
      ({ providerWith }) => providerWith().exchange(new URL('?code=c&state=state', REDIRECT_URI), CHECKS()),
    ],
    [
      'pushed_authorization_request_endpoint',
      'pushed_authorization',
      ({ providerWith }) => providerWith().authorizationUrl(REDIRECT_URI, CHECKS()),
    ],
    ['device_authorization_endpoint', 'device', ({ providerWith }) => providerWith().prepare()],
    [
      'token_endpoint',
      'discovery',
      ({ providerWith }) => providerWith().refresh(Secret.fromString('refresh')),
    ],
  ])('(%s) is reported once, with the setting', async (name, step, send) => {
    const at = failingAt('/nowhere', refused, { ...METADATA, [name]: undefined });
    await send(at).catch(() => undefined);
    expect(at.events).toMatchObject([
      { type: 'provider.failed', step, reason: 'endpoint_missing', setting: expect.any(String) },
    ]);
  });
});

describe('a `revoke` that fails', () => {
  class RevocationError extends Error {}

  it.each<[string, ProviderOptions['revoke']]>([
    ['rejects', () => Promise.reject(new RevocationError('refresh'))],
    [
      'throws',
      () => {
        throw new RevocationError('refresh');
      },
    ],
  ])('is reported once if it %s, without its message [security 48]', async (_how, revoke) => {
    const at = failingAt('/nowhere', refused);
    expect(await at.providerWith({ revoke }).revoke(TOKENS())).toBe('unconfirmed');
    expect(at.events).toMatchObject([
      {
        type: 'provider.failed',
        step: 'revocation',
        reason: 'revoke_failed',
        setting: 'revoke',
        code: 'RevocationError',
      },
    ]);
    expect(JSON.stringify(at.events)).not.toMatch(/"(access|refresh)"/);
  });

  it('is reported once if it takes more than five seconds', async () => {
    const at = failingAt('/nowhere', refused);
    const revoking = at.providerWith({ revoke: () => new Promise(() => undefined) }).revoke(TOKENS());
    await at.clock.advance(5000);
    expect(await revoking).toBe('unconfirmed');
    expect(at.events).toMatchObject([{ reason: 'revoke_failed', code: 'TimeoutError' }]);
  });
});

describe('keys and introspection of a provider that is down', () => {
  const CALLS: readonly [string, string, (at: Setup) => () => Promise<unknown>][] = [
    ['keys of logout tokens', '/jwks', ({ providerWith }) => callsOf(providerWith(), 'requestKeys')],
    ['keys of access tokens', '/jwks', ({ server }) => callsOf(server(), 'requestKeys')],
    [
      'introspections',
      '/introspect',
      ({ server }) => {
        const authorizationServer = server();
        let tokens = 0;
        return () => authorizationServer.introspect(`token-${tokens++}`);
      },
    ],
  ];

  function callsOf<Name extends string>(
    target: { readonly [name in Name]: () => Promise<unknown> },
    name: Name,
  ): () => Promise<unknown> {
    return () => target[name]();
  }

  it.each(CALLS)('cause one request and one report in two seconds: %s [security 40]', async (...call) => {
    const [, path, callOf] = call;
    const at = failingAt(path, refused);
    const request = callOf(at);
    for (let tokens = 0; tokens < 50; tokens++)
      await expect(request()).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect([at.requestCount(), at.events.length]).toEqual([1, 1]);
    await at.clock.advance(1999);
    await expect(request()).rejects.toThrow();
    expect(at.requestCount()).toBe(1);
    await at.clock.advance(1);
    await expect(request()).rejects.toThrow();
    expect([at.requestCount(), at.events.length]).toEqual([2, 2]);
  });

  it.each(CALLS)('are answered as soon as it is up after these seconds: %s', async (_what, path, callOf) => {
    let fail = refused;
    const at = failingAt(path, () => fail());
    const request = callOf(at);
    await expect(request()).rejects.toThrow();
    fail = () => Response.json({ keys: [], active: true });
    await at.clock.advance(2000);
    await expect(request()).resolves.toBeDefined();
    await expect(request()).resolves.toBeDefined();
    expect(at.requestCount()).toBe(3);
  });

  it('pauses no introspection after an answer that one token may have caused', async () => {
    const at = failingAt('/introspect', () => new Response(null, { status: 500 }));
    const server = at.server();
    for (let tokens = 0; tokens < 3; tokens++) await server.introspect(`t-${tokens}`).catch(() => undefined);
    expect(at.requestCount()).toBe(3);
  });
});

describe('an error that repeats what the request contained', () => {
  const checks = () => ({
    state: Secret.fromString('s&1'),
    nonce: Secret.fromString('n=1'),
    codeVerifier: Secret.fromString('v r'),
  });
  const tokens = () => ({ accessToken: Secret.fromString('a-7'), refreshToken: Secret.fromString('r/7') });
  const callback = (query: Record<string, string>) =>
    new URL(`?${new URLSearchParams({ state: 's&1', ...query })}`, REDIRECT_URI);
  const forms = (text: string) => [
    text,
    encodeURIComponent(text),
    new URLSearchParams({ text }).toString().slice('text='.length),
    Buffer.from(text).toString('base64'),
  ];
  it.each<[string, string, readonly string[], (provider: Provider) => Promise<unknown>]>([
    [
      'a pushed request',
      '/par',
      ['s&1', 'n=1', 'v r'],
      (provider) => provider.authorizationUrl(REDIRECT_URI, checks()),
    ],
    [
      'a code exchange',
      '/token',
      ['c0de', 's&1', 'n=1', 'v r'],
      (provider) => provider.exchange(callback({ code: 'c0de' }), checks()),
    ],
    ['a refresh', '/token', ['r/7'], (provider) => provider.refresh(Secret.fromString('r/7'))],
    ['a poll', '/token', ['d.7'], (provider) => provider.pollDevice(Secret.fromString('d.7'))],
    ['a revocation', '/revoke', ['a-7', 'r/7'], (provider) => provider.revoke(tokens())],
  ])('is reported without it, however short it is: %s [security 48]', async (_what, path, sent, send) => {
    for (const secret of [...sent, 'p*w', 'client:p*w']) {
      const [text = '', inUrl = '', inForm = '', inHeader = ''] = forms(secret);
      const shown = secret.startsWith('client:') ? [inHeader] : [text, inUrl, inForm];
      for (const canary of shown) {
        const at = failingAt(path, () =>
          Response.json({ error: canary, error_description: `No "${canary}": (${canary})` }, { status: 400 }),
        );
        await send(at.providerWith({ clientSecret: 'p*w' })).catch(() => undefined);
        expect(at.events).toHaveLength(1);
        expect(at.events[0]).toMatchObject({ oauthError: '…', oauthDescription: 'No "…": (…)' });
      }
    }
  });

  it('is reported without it if it comes with the authorization response [security 48]', async () => {
    const at = failingAt('/nowhere', refused);
    const answer = callback({ error: 's&1', error_description: 'Unknown state s&1.' });
    await at
      .providerWith()
      .exchange(answer, checks())
      .catch(() => undefined);
    expect(at.events).toMatchObject([{ oauthError: '…', oauthDescription: 'Unknown state ….' }]);
  });

  const NEW_TOKEN = 'gho_16C7e42F292c6912E7710c838347Ae178B4a';

  it.each([
    ['the code', 'c0de', '…'],
    ['a token of its own', NEW_TOKEN, '…'],
    ['words', 'User Access Token', 'User Access Token'],
  ])('is reported without it as a token type: %s [security 48]', async (_what, tokenType, received) => {
    const at = failingAt('/token', () => Response.json({ access_token: 'access', token_type: tokenType }));
    await at
      .providerWith()
      .exchange(callback({ code: 'c0de' }), checks())
      .catch(() => undefined);
    expect(at.events).toMatchObject([{ reason: 'token_type', received }]);
  });

  it.each([
    ['a token of its own', NEW_TOKEN, '…'],
    ['words', 'refresh_token_of_another_client', 'refresh_token_of_another_client'],
  ])('is reported without it as an error code: %s [security 48]', async (_what, error, oauthError) => {
    const at = failingAt('/token', () => Response.json({ error }, { status: 400 }));
    await at
      .providerWith()
      .refresh(Secret.fromString('r/7'))
      .catch(() => undefined);
    expect(at.events).toMatchObject([{ oauthError }]);
  });

  it('is reported without it as the issuer of an authorization response [security 48]', async () => {
    const at = failingAt('/nowhere', refused);
    const answer = callback({ code: 'c0de', iss: 'https://evil.test/s&1/c0de' });
    await at
      .providerWith()
      .exchange(answer, checks())
      .catch(() => undefined);
    expect(at.events).toMatchObject([{ reason: 'response_issuer', received: 'https://evil.test/…/…' }]);
  });

  it('is reported without it if it is an introspection [security 48]', async () => {
    const at = failingAt('/introspect', () =>
      Response.json(
        { error: 'invalid_request', error_description: 'No token t+7 of client:secret' },
        { status: 400 },
      ),
    );
    await at
      .server()
      .introspect('t+7')
      .catch(() => undefined);
    expect(at.events).toMatchObject([{ oauthDescription: 'No token … of client:…' }]);
  });
});
