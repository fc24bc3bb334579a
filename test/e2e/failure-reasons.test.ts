import { describe, expect, it } from 'vitest';
import type { ProviderFailureReason, ProviderOptions, Runtime } from '../../packages/sessions/src/index.js';
import { FAILURE_TEXTS } from '../../packages/sessions/src/session/provider-failure-texts.js';
import type { FaultingProvider, FaultingProviderOptions } from '../../packages/sessions/src/testing/index.js';
import { connectionError } from '../../packages/sessions/src/testing/provider-faults.js';
import { Play } from './provider-play.js';

interface Scenario {
  readonly provider?: FaultingProviderOptions;
  readonly options?: Partial<ProviderOptions>;
  readonly plant?: (provider: FaultingProvider) => void;
  readonly fetch?: Runtime['fetch'];
  /** What the log names; `undefined`: no setting can end the failure. */
  readonly setting: string | undefined;
  /** Whether `check` shows the failure without a user. */
  readonly isChecked: boolean;
}

/** Not those of a login: failed-requests.test.ts and unexpected-errors.test.ts have them. */
type OfLogins = Exclude<ProviderFailureReason, 'keys_failed' | 'keys_invalid' | 'revoke_failed'>;

const json =
  (body: unknown, status = 200) =>
  () =>
    Response.json(body, { status });
const page = () => new Response('<h1>Welcome</h1>', { headers: { 'content-type': 'text/html' } });
const unset = (...quirks: NonNullable<FaultingProviderOptions['quirks']>): FaultingProviderOptions => ({
  quirks,
  withoutSettings: true,
});
const ofToken = (respond: () => Response) => (provider: FaultingProvider) =>
  provider.failUntilMended('token', respond);
const ofUserInfo = (respond: () => Response) => (provider: FaultingProvider) =>
  provider.failUntilMended('userinfo', respond);
const ofDiscovery =
  (respond: (response: Response) => Response | Promise<Response>) => (provider: FaultingProvider) =>
    provider.failUntilMended('discovery', respond);
const idTokens: FaultingProviderOptions = { idTokens: true };
const changedToken = (change: object) => (provider: FaultingProvider) =>
  provider.failUntilMended('token', async (response) => {
    const answer = await response.json();
    return Response.json(response.ok ? { ...answer, ...change } : answer, { status: response.status });
  });

const SCENARIOS: Readonly<Record<OfLogins, Scenario>> = {
  name_not_resolved: {
    provider: unset('name_unknown'),
    setting: 'issuer, endpoints, HTTPS_PROXY',
    isChecked: true,
  },
  connection_failed: {
    provider: unset('connection_refused'),
    setting: 'issuer, endpoints, HTTPS_PROXY',
    isChecked: true,
  },
  connection_lost: {
    plant: (provider) => provider.failUntilMended('discovery', 'lost'),
    setting: undefined,
    isChecked: true,
  },
  timeout: {
    fetch: () => Promise.reject(new DOMException('The provider did not respond in time.', 'TimeoutError')),
    setting: undefined,
    isChecked: true,
  },
  certificate_untrusted: {
    provider: unset('certificate_untrusted'),
    setting: 'NODE_EXTRA_CA_CERTS',
    isChecked: true,
  },
  tls_failed: {
    fetch: () => Promise.reject(connectionError('ERR_SSL_WRONG_VERSION_NUMBER')),
    setting: 'issuer, endpoints',
    isChecked: true,
  },
  discovery_failed: { plant: ofDiscovery(json({}, 404)), setting: 'issuer', isChecked: true },
  issuer_mismatch: { provider: unset('issuer_custom_domain'), setting: 'issuer', isChecked: true },
  metadata_invalid: { plant: ofDiscovery(json(['none'])), setting: 'endpoints', isChecked: true },
  endpoint_insecure: { provider: unset('http_endpoints'), setting: 'issuer', isChecked: true },
  endpoint_missing: {
    plant: ofDiscovery(async (response) =>
      Response.json({ ...(await response.json()), userinfo_endpoint: undefined }),
    ),
    setting: 'scopes, identitySource',
    isChecked: true,
  },
  pkce_unsupported: { provider: unset('pkce_not_announced'), setting: 'pkce', isChecked: true },
  authorization_denied: {
    provider: unset('callback_user_cancelled_login'),
    setting: undefined,
    isChecked: false,
  },
  authorization_error: { provider: unset('callback_invalid_scope'), setting: 'scopes', isChecked: true },
  response_issuer: { provider: unset('wrong_iss_in_callback'), setting: 'issuer', isChecked: false },
  response_invalid: {
    provider: unset('callback_without_code'),
    setting: 'authorizationParams, responseMode',
    isChecked: false,
  },
  provider_busy: {
    plant: ofToken(() => new Response(null, { status: 503 })),
    setting: undefined,
    isChecked: true,
  },
  html_answer: { plant: ofToken(page), setting: undefined, isChecked: true },
  client_key_invalid: {
    options: { clientKey: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', d: 'AA', alg: 'ES256' } },
    setting: 'clientKey',
    isChecked: true,
  },
  client_rejected: {
    plant: ofToken(json({ error: 'invalid_client' }, 401)),
    setting: 'clientId, clientSecret, clientAuthentication, pkce',
    isChecked: true,
  },
  // To a random code, it is the right answer.
  grant_rejected: {
    plant: ofToken(json({ error: 'invalid_grant' }, 400)),
    setting: 'publicUrl',
    isChecked: false,
  },
  token_error: {
    plant: ofToken(json({ error: 'unsupported_grant_type' }, 400)),
    setting: 'clientAuthentication, endpoints',
    isChecked: false,
  },
  token_answer_invalid: { plant: ofToken(json({})), setting: 'endpoints, tokensAt', isChecked: true },
  token_type: { provider: unset('token_type_bot'), setting: 'tokenTypes', isChecked: false },
  id_token_missing: {
    provider: idTokens,
    options: { identitySource: 'id_token' },
    plant: changedToken({ id_token: undefined }),
    setting: 'identitySource, scopes',
    isChecked: false,
  },
  id_token_malformed: {
    provider: idTokens,
    plant: changedToken({ id_token: 'no.token' }),
    setting: 'identitySource',
    isChecked: false,
  },
  id_token_encrypted: {
    provider: unset('id_token_encrypted'),
    options: { identitySource: 'id_token' },
    setting: 'identitySource',
    isChecked: false,
  },
  id_token_algorithm: {
    provider: unset('id_token_unannounced_es256'),
    setting: 'idTokenAlgorithms',
    isChecked: false,
  },
  id_token_claim: { provider: unset('wrong_nonce'), setting: 'nonce', isChecked: false },
  user_info_rejected: {
    plant: ofUserInfo(json({}, 403)),
    setting: 'scopes, userInfoRequest',
    isChecked: false,
  },
  user_info_failed: {
    plant: ofUserInfo(json({}, 404)),
    setting: 'endpoints, userInfoRequest',
    isChecked: false,
  },
  user_info_invalid: { plant: ofUserInfo(page), setting: 'endpoints, userInfoRequest', isChecked: false },
  user_info_mismatch: {
    provider: idTokens,
    options: { identitySource: 'user_info' },
    plant: ofUserInfo(json({ sub: 'mallory' })),
    setting: 'endpoints, identitySource',
    isChecked: false,
  },
  identity_missing: { plant: ofUserInfo(json({ id: 7 })), setting: 'identityFields', isChecked: false },
};

describe('the reason of a login that fails', () => {
  it.each(Object.entries(SCENARIOS) as [OfLogins, Scenario][])(
    'is in the log with the setting, on the page, in the tool, and in check if it shows there: %s',
    async (reason, { provider = {}, options, plant, fetch, setting, isChecked }) => {
      const at = new Play(provider, (own) => ({ ...own, ...options }), {
        runtimeOf: () => (fetch ? { fetch } : {}),
      });
      plant?.(at.provider);
      const client = await at.connect('2025');
      const { page, answer } = await client.logIn('alice');
      expect(at.failures).toMatchObject([{ reason }]);
      expect(at.failures[0]?.setting).toBe(setting);
      const short = new RegExp(
        reason === 'authorization_denied' ? 'declined' : FAILURE_TEXTS[reason].short,
        'i',
      );
      expect(answer).toMatchObject({ isError: true, text: expect.stringMatching(short) });
      if (page !== undefined) expect(page).toMatch(short);
      expect((await client.status()).state).toBe('anonymous');
      await at.clock.advance(2000);
      const [report] = await at.sessions.checkProviders();
      const failed = report?.checks.filter(({ result }) => result === 'failed');
      expect(failed).toMatchObject(isChecked ? [{ failure: { reason } }] : []);
      if (isChecked) expect(failed?.[0]?.setting).toBe(setting);
    },
  );
});
