import { describe, expect, it } from 'vitest';
import { FaultingProvider, type FaultingProviderOptions, VirtualClock } from '../testing/index.js';
import { systemRandom } from '../vault/random.js';
import { checkProvider } from './provider-check.js';
import type { RegisteredAddresses } from './provider-contact.js';
import type { ProviderOptions } from './provider-options.js';
import type { CheckName, ProviderCheck } from './provider-report.js';
import { providerSettings } from './provider-settings.js';

const ADDRESSES: RegisteredAddresses = {
  redirectUri: new URL('https://mcp.test/callback'),
  logoutUri: new URL('https://mcp.test/login/logout/provider'),
};
const NOW_MS = 1_800_000_000_000;

/** Checks a provider, which gets `options` besides its own. */
async function check(
  given: FaultingProviderOptions = {},
  options: Partial<ProviderOptions> = {},
  { addresses = ADDRESSES, change = (response: Response): Response | Promise<Response> => response } = {},
) {
  const provider = new FaultingProvider(given);
  const bodies: URLSearchParams[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    if (init?.body instanceof URLSearchParams) bodies.push(new URLSearchParams(init.body));
    return change(await provider.fetch(input, init));
  };
  const settings = providerSettings({ ...provider.options, ...options });
  const clock = new VirtualClock();
  const runtime = { clock, random: systemRandom, fetch, wallClock: () => NOW_MS };
  const report = await checkProvider(settings, addresses, runtime);
  const of = (name: CheckName): ProviderCheck | undefined =>
    report.checks.find((each) => each.check === name);
  const failed = report.checks.filter(({ result }) => result === 'failed');
  return { report, of, failed, provider, bodies };
}

const withIdTokens = { idTokens: true, clientSecret: 'secret' } as const;

describe('the check of a provider', () => {
  it('finds nothing wrong with a provider that is configured correctly', async () => {
    const { report, of, provider, bodies } = await check(withIdTokens);
    expect(report).toMatchObject({ provider: 'provider', ok: true });
    expect(Object.fromEntries(report.checks.map((each) => [each.check, each.result]))).toEqual({
      configuration: 'ok',
      proxy: 'unused',
      name_resolution: 'ok',
      tls: 'ok',
      discovery: 'ok',
      issuer: 'ok',
      pkce: 'ok',
      client_authentication: 'ok',
      authorization: 'ok',
      scopes: 'unknown',
      identity: 'ok',
      revocation: 'ok',
      pushed_authorization: 'unused',
      clock: 'unknown',
      redirect_uri: 'unknown',
      back_channel_logout: 'unused',
    });
    expect(of('redirect_uri')?.found).toBe('https://mcp.test/callback');
    expect(of('discovery')?.found).toContain(
      'https://provider.test/.well-known/openid-configuration: 200 application/json',
    );
    expect(provider.livingUsers()).toEqual([]);
    expect(bodies.map((form) => form.get('grant_type'))).toEqual(['authorization_code']);
  });

  it.each<{
    what: string;
    given: FaultingProviderOptions;
    options?: Partial<ProviderOptions>;
    name: CheckName;
    setting: string;
    found: RegExp;
  }>([
    {
      what: 'a certificate that is not trusted',
      given: { quirks: ['certificate_untrusted'] },
      name: 'tls',
      setting: 'NODE_EXTRA_CA_CERTS',
      found: /certificate .*not trusted.*UNABLE_TO_VERIFY_LEAF_SIGNATURE/,
    },
    {
      what: 'a host name that does not exist',
      given: { quirks: ['name_unknown'] },
      name: 'name_resolution',
      setting: 'issuer, endpoints, HTTPS_PROXY',
      found: /provider\.test.*ENOTFOUND/,
    },
    {
      what: 'a provider that does not listen',
      given: { quirks: ['connection_refused'] },
      name: 'discovery',
      setting: 'issuer, endpoints, HTTPS_PROXY',
      found: /ECONNREFUSED/,
    },
    {
      what: 'an issuer with another slash',
      given: {
        issuer: 'https://provider.test/tenant',
        quirks: ['issuer_trailing_slash'],
        withoutSettings: true,
      },
      name: 'issuer',
      setting: 'issuer',
      found: /expected: https:\/\/provider\.test\/tenant, received: https:\/\/provider\.test\/tenant\/\)/,
    },
    {
      what: 'an issuer with a domain of its own',
      given: { quirks: ['issuer_custom_domain'], withoutSettings: true },
      name: 'issuer',
      setting: 'issuer',
      found: /received: https:\/\/tenant\.provider\.test/,
    },
    {
      what: 'endpoints without TLS',
      given: { quirks: ['http_endpoints'] },
      name: 'discovery',
      setting: 'issuer',
      found: /does not use https \(endpoint: http:\/\/provider\.test/,
    },
    {
      what: 'a wrong client secret',
      given: withIdTokens,
      options: { clientSecret: 'wrong' },
      name: 'client_authentication',
      setting: 'clientId, clientSecret, clientAuthentication, pkce',
      found: /rejected the client registration.*oauthError: invalid_client/,
    },
    {
      what: 'a provider that refuses a code verifier',
      given: { quirks: ['refuses_code_verifier'], withoutSettings: true },
      name: 'client_authentication',
      setting: 'clientId, clientSecret, clientAuthentication, pkce',
      found: /oauthDescription: Client authentication failed/,
    },
    {
      what: 'a secret that has to be sent without encoding',
      given: { quirks: ['basic_not_decoded'], withoutSettings: true },
      name: 'client_authentication',
      setting: 'clientId, clientSecret, clientAuthentication, pkce',
      found: /invalid_client/,
    },
    {
      what: 'an assertion for another audience',
      given: { quirks: ['assertion_audience_token_endpoint'], withoutSettings: true },
      name: 'client_authentication',
      setting: 'clientId, clientSecret, clientAuthentication, pkce',
      found: /invalid_client/,
    },
  ])('names the cause and the setting: $what', async ({ given, options, name, setting, found }) => {
    const { report, of, failed } = await check(given, options);
    expect(report.ok).toBe(false);
    expect(failed.map((each) => each.check)).toEqual([name]);
    expect(of(name)).toMatchObject({ setting, found: expect.stringMatching(found) });
    expect(of(name)?.advice).toMatch(/\.$/);
    expect(of(name)?.failure?.reason).toBeDefined();
  });

  it.each<[string, FaultingProviderOptions]>([
    ['an issuer with another slash', { quirks: ['issuer_trailing_slash'] }],
    ['an issuer with a domain of its own', { quirks: ['issuer_custom_domain'] }],
    ['the issuer of all tenants', { quirks: ['issuer_tenant_common'] }],
    ['a provider that refuses a code verifier', { quirks: ['refuses_code_verifier'] }],
    ['a secret that has to be sent without encoding', { quirks: ['basic_not_decoded'] }],
    ['an assertion for another audience', { quirks: ['assertion_audience_token_endpoint'] }],
    ['credentials in the form', { quirks: ['only_client_secret_post'] }],
    ['pushed authorization requests', { quirks: ['par_required'] }],
    ['a page in place of one metadata document', { quirks: ['oidc_metadata_html_200'] }],
    ['errors with status 200', { quirks: ['error_status_200'] }],
  ])('finds nothing wrong once the setting is there: %s', async (_what, given) => {
    expect((await check(given)).failed).toEqual([]);
  });

  it('names the proxy, if there is one', async () => {
    const provider = new FaultingProvider();
    const settings = providerSettings(provider.options);
    const proxyFor = ({ host }: URL) => `proxy.test:3128 for ${host}`;
    const runtime = { clock: new VirtualClock(), random: systemRandom, fetch: provider.fetch, proxyFor };
    const { checks } = await checkProvider(settings, ADDRESSES, runtime);
    const expected = { check: 'proxy', result: 'ok', found: 'proxy.test:3128 for provider.test' };
    expect(checks).toContainEqual(expected);
    expect(checks.find(({ check }) => check === 'name_resolution')).toEqual({
      check: 'name_resolution',
      result: 'unused',
      found: 'provider.test: the proxy resolves it',
    });
  });

  it('does not call a proxy good, nor a name resolved, that let no request through', async () => {
    const provider = new FaultingProvider({ quirks: ['connection_refused'] });
    const settings = providerSettings(provider.options);
    const proxyFor = () => 'proxy.test:3128';
    const runtime = { clock: new VirtualClock(), random: systemRandom, fetch: provider.fetch, proxyFor };
    const { checks } = await checkProvider(settings, ADDRESSES, runtime);
    expect(checks.slice(1, 5)).toMatchObject([
      { check: 'proxy', result: 'unknown', found: 'proxy.test:3128' },
      { check: 'name_resolution', result: 'unused' },
      { check: 'tls', result: 'unknown' },
      { check: 'discovery', result: 'failed', found: expect.not.stringContaining('no answer') },
    ]);
    expect(checks.find(({ check }) => check === 'clock')?.found).toBe('the provider was not reached');
  });

  it('lists every address of the metadata with its answer', async () => {
    const { of } = await check({ quirks: ['oidc_metadata_html_200'] });
    expect(of('discovery')).toMatchObject({
      result: 'ok',
      found: expect.stringMatching(
        /openid-configuration: 200 text\/html.*; .*oauth-authorization-server: 200 application\/json/,
      ),
    });
  });

  it('sends one pushed authorization request if logins do', async () => {
    const { of, provider } = await check({ quirks: ['par_required'] });
    expect(of('pushed_authorization')).toMatchObject({ result: 'ok' });
    expect(provider.requests.pushed_authorization).toBe(1);
  });

  it('checks what is left if PKCE is not announced', async () => {
    const change = (response: Response) =>
      extended(response, { code_challenge_methods_supported: undefined });
    const { report, of } = await check(withIdTokens, {}, { change });
    expect(report.ok).toBe(false);
    expect(of('pkce')).toMatchObject({ result: 'failed', setting: 'pkce' });
    expect(of('client_authentication')).toMatchObject({ result: 'ok' });
  });

  it.each<[string[], string[] | undefined, Partial<ProviderCheck>]>([
    [['ES256', 'none'], undefined, { result: 'ok' }],
    [['none'], undefined, { result: 'failed', setting: 'identitySource' }],
    [
      ['ES256', 'PS256'],
      ['RS256'],
      { result: 'unknown', setting: 'idTokenAlgorithms', found: expect.stringMatching(/RS256.*ES256 PS256/) },
    ],
  ])('compares the announced algorithms of ID tokens: %j', async (algorithms, accepted, expected) => {
    const change = (response: Response) =>
      extended(response, { id_token_signing_alg_values_supported: algorithms });
    const { of } = await check(withIdTokens, { idTokenAlgorithms: accepted }, { change });
    expect(of('identity')).toMatchObject(expected);
  });

  it('fails if the metadata has no endpoint for the device flow that the options allow', async () => {
    const change = (response: Response) => extended(response, { device_authorization_endpoint: undefined });
    const { of } = await check(withIdTokens, { deviceFlow: 'allowed' }, { change });
    expect(of('discovery')).toMatchObject({
      result: 'failed',
      setting: 'deviceFlow',
      failure: { step: 'device', reason: 'endpoint_missing' },
    });
    expect(of('client_authentication')).toMatchObject({ result: 'ok' });
  });

  it.each([
    ['GitHub', 200, { error: 'incorrect_client_credentials' }],
    ['Slack', 200, { ok: false, error: 'bad_client_secret' }],
    ['Strava', 400, { errors: [{ resource: 'Application', field: 'client_id', code: 'invalid' }] }],
    ['HubSpot', 400, { status: 'BAD_CLIENT_SECRET', message: 'missing or invalid client secret' }],
  ])('fails if the client is rejected in the words of %s', async (_provider, status, body) => {
    const change = async (response: Response) =>
      (await response.clone().text()).includes('"issuer"') ? response : Response.json(body, { status });
    const { failed } = await check(withIdTokens, {}, { change });
    expect(failed).toMatchObject([
      {
        check: 'client_authentication',
        setting: expect.stringContaining('clientSecret'),
        failure: { reason: 'client_rejected' },
      },
    ]);
  });

  const isLoginPage = ({ headers }: Response) => headers.get('content-type') === 'text/html';

  it.each<[string, FaultingProviderOptions, Partial<ProviderOptions>, Partial<ProviderCheck>]>([
    [
      'a rejected scope',
      { quirks: ['callback_invalid_scope'] },
      {},
      { result: 'failed', setting: 'scopes', found: expect.stringContaining('is not enabled for this') },
    ],
    [
      'a rejected client, although `state` is missing',
      { quirks: ['callback_without_state'] },
      {},
      { result: 'failed', setting: 'clientId' },
    ],
    [
      'another issuer in the answer',
      { quirks: ['callback_server_error', 'wrong_iss_in_callback'] },
      {},
      { result: 'failed', setting: 'issuer', found: expect.stringContaining('received: https://other.test') },
    ],
    ['what only a user declines', { quirks: ['callback_user_cancelled_login'] }, {}, { result: 'ok' }],
    ['a login page', {}, {}, { result: 'ok', found: 'the provider does not reject the request (200)' }],
    ['a login page, with form_post', { quirks: ['form_post'] }, {}, { result: 'ok' }],
    ['PAR', { quirks: ['par_required'] }, {}, { result: 'unused' }],
    ['the device flow only', {}, { deviceFlow: 'only' }, { result: 'unused' }],
  ])('sends the request of a login, and finds %s', async (_what, given, options, expected) => {
    const { report, of, provider } = await check(given, options);
    expect(of('authorization')).toMatchObject(expected);
    expect(report.ok).toBe(expected.result !== 'failed');
    expect(provider.livingUsers()).toEqual([]);
  });

  it('does not judge a page for browsers by its status', async () => {
    const change = (response: Response) =>
      isLoginPage(response) ? new Response('Who are you?', { status: 403 }) : response;
    const { report, of } = await check({}, {}, { change });
    expect(of('authorization')).toMatchObject({
      result: 'unknown',
      found: 'the provider answered 403 to a request without a user',
      advice: expect.stringContaining('redirect URI'),
    });
    expect(report.ok).toBe(true);
  });

  it('does not fail if only browsers reach the login page', async () => {
    const change = (response: Response) => {
      if (isLoginPage(response)) throw new TypeError('fetch failed');
      return response;
    };
    const { report, of } = await check({}, {}, { change });
    expect(of('authorization')).toMatchObject({ result: 'unknown' });
    expect(report.ok).toBe(true);
  });

  it.each<[string, string, object]>([
    ['elsewhere', 'https://accounts.provider.test/login?error=x', { result: 'ok' }],
    ['to an address that is none', 'https://[', { result: 'ok' }],
    ['back, from the root', '/callback?error=invalid_scope', { result: 'ok' }],
    ['back', 'https://mcp.test/callback?error=invalid_target', { result: 'failed', setting: 'resource' }],
  ])('follows no redirect: %s', async (_where, location, expected) => {
    const change = (response: Response) =>
      isLoginPage(response) ? new Response(null, { status: 302, headers: { location } }) : response;
    const { of } = await check({}, {}, { change });
    expect(of('authorization')).toMatchObject(expected);
  });

  it('accepts PKCE that is off by configuration', async () => {
    const { of, bodies } = await check({ quirks: ['refuses_code_verifier'] });
    expect(of('pkce')).toMatchObject({ result: 'ok', found: 'off, by configuration' });
    expect(bodies[0]?.has('code_verifier')).toBe(false);
  });

  it.each<[number, ProviderCheck['result'], string]>([
    [0, 'ok', 'no difference'],
    [59, 'ok', '59 s ahead'],
    [61, 'failed', '61 s ahead'],
    [-62, 'failed', '61 s behind'],
  ])('compares the clocks: %i s', async (seconds, result, found) => {
    const date = new Date(NOW_MS + seconds * 1000).toUTCString();
    const change = (response: Response) => {
      response.headers.set('date', date);
      return response;
    };
    const { of } = await check({}, {}, { change });
    expect(of('clock')).toMatchObject({ result, found: expect.stringContaining(found) });
    if (result === 'failed') expect(of('clock')).toMatchObject({ setting: 'clockToleranceSeconds' });
  });

  it.each<[string, string[] | undefined, string[], ProviderCheck['result']]>([
    ['announced', ['openid', 'notes'], ['openid', 'notes'], 'ok'],
    ['of OpenID Connect and not announced', ['openid'], ['openid', 'offline_access'], 'failed'],
    ['of an API and not announced', ['openid'], ['openid', 'notes'], 'unknown'],
    ['of a provider that announces none', undefined, ['openid'], 'unknown'],
    ['that are not requested', ['openid'], [], 'unused'],
  ])('compares scopes: %s', async (_what, scopes_supported, scopes, result) => {
    const change = (response: Response) => extended(response, { scopes_supported });
    const { of } = await check({ idTokens: true }, { scopes }, { change });
    expect(of('scopes')).toMatchObject({ result });
  });

  it('says which address takes logout tokens, if the provider announces them', async () => {
    const metadata = { backchannel_logout_supported: true, jwks_uri: 'https://provider.test/jwks' };
    const change = (response: Response) => extended(response, metadata);
    const { of } = await check({}, {}, { change });
    expect(of('back_channel_logout')?.found).toBe('https://mcp.test/login/logout/provider');
  });

  it('does not guess what the metadata would say if there is none', async () => {
    const { report, of } = await check({ quirks: ['connection_refused'] });
    const unknown = report.checks.filter(
      ({ found }) => found === 'the metadata of the provider is not known',
    );
    expect(unknown.map((each) => each.check)).toEqual([
      'issuer',
      'pkce',
      'client_authentication',
      'authorization',
      'scopes',
      'identity',
      'revocation',
      'pushed_authorization',
      'back_channel_logout',
    ]);
    expect(of('back_channel_logout')).toMatchObject({ result: 'unknown' });
  });

  it('lists an address without metadata once', async () => {
    const change = (response: Response) =>
      response.status === 200 ? new Response('', { status: 404 }) : response;
    const { of } = await check({}, {}, { change });
    expect(of('discovery')?.found).toMatch(/^the metadata of the provider was not found: https:/);
    expect(of('discovery')?.found.match(/openid-configuration/g)).toHaveLength(1);
  });

  it.each<[string, FaultingProviderOptions, Partial<ProviderOptions>, Partial<ProviderCheck>]>([
    [
      '`sub`, which a provider without `openid` may not have',
      {},
      {},
      {
        result: 'unknown',
        found: 'sub in the user info at https://provider.test/userinfo',
        setting: 'identityFields, userInfoRequest',
      },
    ],
    ['`sub`, with `openid`', withIdTokens, { identitySource: 'user_info' }, { result: 'ok' }],
    [
      'the configured fields',
      {},
      { identityFields: { subject: ['/team/id', 'id'] } },
      { result: 'ok', found: '/team/id, id in the user info at https://provider.test/userinfo' },
    ],
    [
      'the token response',
      {},
      { identitySource: 'token_response' },
      { result: 'unknown', found: 'sub in the answer of the token endpoint', setting: 'identityFields' },
    ],
  ])('names what identifies the user: %s', async (_what, given, options, expected) => {
    const { report, of } = await check(given, options);
    expect(of('identity')).toMatchObject(expected);
    expect(report.ok).toBe(true);
  });

  it('fails if nothing identifies the user', async () => {
    const change = (response: Response) => extended(response, { userinfo_endpoint: undefined });
    const { of } = await check({}, {}, { change });
    expect(of('identity')).toMatchObject({ result: 'failed', setting: 'scopes, identitySource' });
  });

  it('names a key that does not fit its algorithm', async () => {
    const clientKey = { kty: 'EC', crv: 'P-256', x: 'a', y: 'b', d: 'c', alg: 'ES256' };
    const { report, failed } = await check({}, { clientKey });
    expect(report.ok).toBe(false);
    expect(failed).toMatchObject([{ check: 'configuration', setting: 'clientKey' }]);
  });

  it('names the setting that the redirect URI depends on while it is not known', async () => {
    const { of } = await check({}, {}, { addresses: {} });
    expect(of('redirect_uri')).toMatchObject({ result: 'unknown', setting: 'publicUrl' });
    expect(of('authorization')).toMatchObject({ result: 'unknown' });
  });

  it('contains no secret, code or verifier', async () => {
    const secret = 'canary-client-secret-canary';
    const given = { clientSecret: secret, quirks: ['refuses_code_verifier'], withoutSettings: true } as const;
    for (const options of [{}, { clientSecret: `${secret}-wrong` }]) {
      const { report, bodies } = await check(given, options);
      const text = JSON.stringify(report);
      expect(text).not.toContain(secret);
      for (const form of bodies)
        for (const name of ['code', 'code_verifier', 'client_secret'])
          if (form.has(name)) expect(text).not.toContain(form.get(name));
    }
  });
});

/** The answer, with other metadata if it is a metadata document. */
async function extended(response: Response, fields: object): Promise<Response> {
  const text = await response.text();
  const { status, headers } = response;
  if (!text.includes('"issuer"')) return new Response(text, { status, headers });
  return Response.json({ ...JSON.parse(text), ...fields }, { status });
}
