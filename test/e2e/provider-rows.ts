import type { ProviderOptions } from '../../packages/sessions/src/index.js';
import type { FaultingProviderOptions, QuirkName } from '../../packages/sessions/src/testing/index.js';
import { endpointsBelow } from '../../packages/sessions/src/testing/provider-endpoints.js';

/** What the user, the model and the operator see of a login that fails. */
export interface SeenFailure {
  /** The last page; absent if the login does not get to the browser. */
  readonly page?: RegExp;
  /** The answer of `login`. */
  readonly login: RegExp;
  /** The setting that `check` names before a login for what only a login shows. */
  readonly hint?: string;
  /** Fields of the log line; a regular expression matches text. */
  readonly log: Readonly<Record<string, string | number | RegExp>>;
}

/** How a whole login with a refresh, an API call and a logout goes. */
interface WorkingLogin {
  readonly plays: 'login works';
  /** What is seen without the settings that deal with the quirks. */
  readonly unset?: SeenFailure;
  /** The user's fields that tools see. */
  readonly fields?: Readonly<Record<string, string>>;
  /** The address of the API, if it is another one. */
  readonly api?: string;
}

interface FailingLogin {
  readonly plays: 'login fails';
  readonly seen: SeenFailure;
}

/** The provider ends the grant; the access token expires after that. */
interface EndedGrant {
  readonly plays: 'grant ends';
  /** `expired`: the tokens are kept until a new login succeeds. */
  readonly state: 'reauthentication_required' | 'expired';
}

/** Maintenance while the access token needs a refresh. */
interface Maintenance {
  readonly plays: 'maintenance';
}

interface Other {
  readonly plays:
    | 'client is rejected at refreshes'
    | 'refresh token expires first'
    | 'no refresh token'
    | 'scopes unticked'
    | 'api demands'
    | 'api rejects the dead token'
    | 'logout leaves other sessions'
    | 'failed login leaves other sessions';
}

/** One observation of a real provider. */
export type ProviderRow = (WorkingLogin | FailingLogin | EndedGrant | Maintenance | Other) & {
  readonly row: string;
  readonly quirks: readonly QuirkName[];
  readonly provider?: FaultingProviderOptions;
  /** Options of the server in every run. */
  readonly options?: Partial<ProviderOptions>;
};

const DECLINED: SeenFailure = {
  page: /declined.*If you did not decline, the provider did: tell the operator of this server\./,
  login: /The user or the provider declined the login\. Ask the user before you try again\./,
  log: { reason: 'authorization_denied', oauthError: 'user_cancelled_login' },
};

function rejectedLogin(shortText: RegExp, log: SeenFailure['log']): SeenFailure {
  return { page: new RegExp(shortText.source, 'i'), login: new RegExp(`Reason: ${shortText.source}`), log };
}

function authorizationError(oauthError: string, setting: string): SeenFailure {
  return rejectedLogin(/the provider rejected the login request/, {
    reason: 'authorization_error',
    oauthError,
    oauthDescription: /./,
    setting,
  });
}

const rejectedClient = (setting: string): SeenFailure =>
  rejectedLogin(/the provider rejected the client registration of this server/, {
    reason: 'client_rejected',
    oauthError: 'invalid_client',
    endpoint: 'https://provider.test/token',
    setting,
  });

const CLIENT_SETTINGS = 'clientId, clientSecret, clientAuthentication, pkce';

const wrongClaim = (claim: string, setting: string): SeenFailure =>
  rejectedLogin(/the ID token of the provider is not valid/, { reason: 'id_token_claim', claim, setting });

const wrongType = (received: string): SeenFailure =>
  rejectedLogin(/the tokens of the provider are of an unknown type/, {
    reason: 'token_type',
    received,
    setting: 'tokenTypes',
  });

const noIdentity = (log: SeenFailure['log']): SeenFailure => ({
  ...rejectedLogin(/the (provider did not identify the user|user info)/, log),
  hint: 'identityFields, userInfoRequest',
});

/** A dead refresh token under another name. */
const DEAD_TOKENS: readonly ProviderRow[] = [
  {
    row: 'refresh: 403 unauthorized_client (Atlassian)',
    quirks: ['dead_as_unauthorized_client'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
  {
    row: 'refresh: 400 invalid_request (DeviantArt, Xee)',
    quirks: ['dead_as_invalid_request'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
  {
    row: 'refresh: 400 with a list of errors (Strava)',
    quirks: ['dead_as_strava_errors'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
  {
    row: 'refresh: 200 invalid_code (Zoho)',
    quirks: ['dead_as_invalid_code_200'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
  { row: 'refresh: 401 with nothing', quirks: ['dead_as_empty_401'], plays: 'grant ends', state: 'expired' },
  {
    row: 'refresh: 400 BAD_REFRESH_TOKEN (HubSpot)',
    quirks: ['dead_as_hubspot_status'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
  {
    row: 'refresh: 200 ok: false (Slack)',
    quirks: ['dead_as_slack_ok_false'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
  {
    row: 'refresh: 400 "Value passed for the token was invalid" (X)',
    quirks: ['dead_as_x_invalid_request'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
  {
    row: 'refresh: 400 "session not found" (better-auth)',
    quirks: ['dead_as_session_not_found'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
  {
    row: 'refresh: 200 bad_refresh_token (GitHub)',
    quirks: ['dead_as_bad_refresh_token_200'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
  {
    row: 'refresh: a name that is not known',
    quirks: ['dead_as_unknown_name'],
    plays: 'grant ends',
    state: 'expired',
  },
  {
    row: 'refresh: a client registration that is broken',
    quirks: ['client_broken'],
    plays: 'client is rejected at refreshes',
  },
];

/** Reasons that the operator has to see. */
const FAILING_LOGINS: readonly (ProviderRow & (FailingLogin | WorkingLogin))[] = [
  {
    row: 'reason: a certificate that is not trusted',
    quirks: ['certificate_untrusted'],
    plays: 'login fails',
    seen: {
      login: /the TLS certificate of the provider is not trusted/,
      log: {
        reason: 'certificate_untrusted',
        code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        setting: 'NODE_EXTRA_CA_CERTS',
      },
    },
  },
  {
    row: 'reason: a host name that does not exist',
    quirks: ['name_unknown'],
    plays: 'login fails',
    seen: {
      login: /the host name of the provider was not found/,
      log: { reason: 'name_not_resolved', code: 'ENOTFOUND', setting: 'issuer, endpoints, HTTPS_PROXY' },
    },
  },
  {
    row: 'reason: a connection that is refused',
    quirks: ['connection_refused'],
    plays: 'login fails',
    seen: {
      login: /this server could not connect to the provider/,
      log: { reason: 'connection_failed', code: 'ECONNREFUSED', setting: 'issuer, endpoints, HTTPS_PROXY' },
    },
  },
  {
    row: 'reason: an issuer with a trailing slash',
    quirks: ['issuer_trailing_slash'],
    plays: 'login works',
    unset: {
      login: /the metadata of the provider names another issuer/,
      log: {
        reason: 'issuer_mismatch',
        expected: 'https://provider.test/tenant',
        received: 'https://provider.test/tenant/',
        setting: 'issuer',
      },
    },
  },
  {
    row: 'reason: an issuer on a custom domain, and the address of the metadata as the way out',
    quirks: ['issuer_custom_domain'],
    plays: 'login works',
    unset: {
      login: /the metadata of the provider names another issuer/,
      log: {
        reason: 'issuer_mismatch',
        expected: 'https://provider.test',
        received: 'https://tenant.provider.test',
        setting: 'issuer',
      },
    },
  },
  { row: 'reason: the issuer `common` (Entra ID)', quirks: ['issuer_tenant_common'], plays: 'login works' },
  {
    row: 'reason: an https issuer with http endpoints',
    quirks: ['http_endpoints'],
    plays: 'login fails',
    seen: {
      login: /an endpoint of the provider does not use https/,
      log: { reason: 'endpoint_insecure', endpoint: /^http:\/\/provider\.test\//, setting: 'issuer' },
    },
  },
  {
    row: 'reason: PKCE that is not announced (Cognito, Entra ID)',
    quirks: ['pkce_not_announced'],
    plays: 'login works',
    unset: {
      login: /the provider does not announce PKCE with S256/,
      log: { reason: 'pkce_unsupported', setting: 'pkce' },
    },
  },
  {
    row: 'reason: invalid_scope at the callback',
    quirks: ['callback_invalid_scope'],
    plays: 'login fails',
    seen: authorizationError('invalid_scope', 'scopes'),
  },
  {
    row: 'reason: consent_required at the callback',
    quirks: ['callback_consent_required'],
    plays: 'login fails',
    seen: authorizationError('consent_required', 'authorizationParams'),
  },
  {
    row: 'reason: server_error at the callback',
    quirks: ['callback_server_error'],
    plays: 'login fails',
    seen: authorizationError('server_error', 'scopes, authorizationParams'),
  },
  {
    row: 'reason: an error without `state`',
    quirks: ['callback_without_state'],
    plays: 'login fails',
    seen: authorizationError('unauthorized_client', 'clientId'),
  },
  {
    row: 'reason: a callback without a code',
    quirks: ['callback_without_code'],
    plays: 'login fails',
    seen: rejectedLogin(/the response of the provider to the login is not valid/, {
      reason: 'response_invalid',
      setting: 'authorizationParams, responseMode',
    }),
  },
  {
    row: 'reason: user_cancelled_login (LinkedIn)',
    quirks: ['callback_user_cancelled_login'],
    plays: 'login fails',
    seen: DECLINED,
  },
];

const wrongAlgorithm = (log: SeenFailure['log']): SeenFailure =>
  rejectedLogin(/the ID token of the provider has a signature algorithm that is not allowed/, {
    reason: 'id_token_algorithm',
    ...log,
  });

/** Each family of signature algorithms (RFC 7518 section 3.1, RFC 8037), and what it is without configuration. */
const SIGNED: readonly QuirkName[][] = [
  [],
  ['id_token_ps256'],
  ['id_token_es256'],
  ['id_token_eddsa'],
  ['id_token_hs256'],
];

/** How ID tokens are signed. */
const SIGNATURES: readonly ProviderRow[] = [
  ...SIGNED.flatMap((quirks): ProviderRow[] => [
    {
      row: 'protocol: the algorithm of ID tokens is announced',
      quirks,
      provider: { idTokens: true },
      options: { identitySource: 'id_token' },
      plays: 'login works',
    },
    {
      row: 'protocol: endpoints configured, and the algorithm of ID tokens unknown',
      quirks,
      provider: { idTokens: true, endpoints: endpointsBelow('https://provider.test') },
      options: { identitySource: 'id_token' },
      plays: 'login works',
    },
  ]),
  {
    row: 'protocol: an ID token of an algorithm that is not announced',
    quirks: ['id_token_unannounced_es256'],
    plays: 'login works',
    unset: wrongAlgorithm({ expected: 'RS256', received: 'ES256', setting: 'idTokenAlgorithms' }),
  },
  ...SIGNED.filter(([quirk]) => quirk !== undefined).map(
    (quirks): ProviderRow => ({
      row: 'protocol: an announced algorithm of ID tokens that is not accepted',
      quirks,
      options: { idTokenAlgorithms: ['RS256', 'RS512'] },
      plays: 'login fails',
      seen: {
        ...wrongAlgorithm({ expected: 'RS256 RS512', received: /256|EdDSA/, setting: 'idTokenAlgorithms' }),
        hint: 'idTokenAlgorithms',
      },
    }),
  ),
];

/** Providers that are less strict, or strict in another way. */
const PROTOCOL: readonly ProviderRow[] = [
  {
    row: 'protocol: an ID token without nonce (LinkedIn)',
    quirks: ['no_nonce'],
    plays: 'login works',
    unset: wrongClaim('nonce', 'nonce'),
  },
  {
    row: 'protocol: code_verifier refused with invalid_client (LinkedIn)',
    quirks: ['refuses_code_verifier'],
    plays: 'login works',
    unset: rejectedClient(CLIENT_SETTINGS),
  },
  {
    row: 'protocol: neither nonce nor code_verifier (LinkedIn)',
    quirks: ['refuses_code_verifier', 'no_nonce'],
    plays: 'login works',
    unset: rejectedClient(CLIENT_SETTINGS),
  },
  {
    row: 'protocol: Basic credentials that are not decoded',
    quirks: ['basic_not_decoded'],
    plays: 'login works',
    unset: rejectedClient(CLIENT_SETTINGS),
  },
  {
    row: 'protocol: Basic credentials that are not decoded, of letters that a form leaves alone',
    quirks: ['basic_not_decoded'],
    provider: { clientSecret: 'a-secret_with.dots*', withoutSettings: true },
    plays: 'login works',
  },
  {
    row: 'protocol: Basic credentials that are decoded',
    quirks: ['basic_form_decoded'],
    plays: 'login works',
  },
  {
    row: 'protocol: token_type bot (Slack)',
    quirks: ['token_type_bot'],
    plays: 'login works',
    unset: wrongType('bot'),
  },
  {
    row: 'protocol: token_type user (Slack)',
    quirks: ['token_type_user'],
    plays: 'login works',
    unset: wrongType('user'),
  },
  {
    row: 'protocol: token_type User Access Token (eBay)',
    quirks: ['token_type_user_access_token'],
    plays: 'login works',
    unset: wrongType('User Access Token'),
  },
  {
    row: 'protocol: an ID token although `openid` was not asked for (Google)',
    quirks: ['unasked_id_token'],
    plays: 'login works',
  },
  {
    row: 'protocol: `aud` as a list without `azp` (NetSuite, Oracle)',
    quirks: ['aud_list_without_azp'],
    plays: 'login works',
    unset: wrongClaim('aud', 'idTokenAudiences'),
  },
  { row: 'protocol: a clock 60 s behind', quirks: ['clock_behind_60'], plays: 'login works' },
  { row: 'protocol: a clock 60 s ahead', quirks: ['clock_ahead_60'], plays: 'login works' },
  {
    row: 'protocol: a clock 60 s behind, and no tolerance',
    quirks: ['clock_behind_60'],
    options: { clockToleranceSeconds: 0 },
    plays: 'login fails',
    seen: wrongClaim('exp', 'clockToleranceSeconds'),
  },
  {
    row: 'protocol: a clock 60 s ahead, and no tolerance',
    quirks: ['clock_ahead_60'],
    options: { clockToleranceSeconds: 0 },
    plays: 'login fails',
    seen: wrongClaim('nbf', 'clockToleranceSeconds'),
  },
  ...SIGNATURES,
  {
    row: 'protocol: private_key_jwt for the token endpoint (Okta)',
    quirks: ['assertion_audience_token_endpoint'],
    plays: 'login works',
    unset: rejectedClient(CLIENT_SETTINGS),
  },
  {
    row: 'protocol: private_key_jwt with x5t (Entra ID)',
    quirks: ['assertion_x5t'],
    plays: 'login works',
    unset: rejectedClient(CLIENT_SETTINGS),
  },
  {
    row: 'protocol: metadata announces client_secret_post only',
    quirks: ['only_client_secret_post'],
    plays: 'login works',
  },
  { row: 'protocol: PAR required by metadata', quirks: ['par_required'], plays: 'login works' },
  {
    row: 'protocol: tokens for a resource that is named (RFC 8707)',
    quirks: ['resource_required'],
    plays: 'login works',
    unset: authorizationError('invalid_target', 'resource'),
  },
  { row: 'protocol: an encrypted ID token', quirks: ['id_token_encrypted'], plays: 'login works' },
  { row: 'protocol: no ID token though user info works', quirks: ['no_id_token'], plays: 'login works' },
  {
    row: 'protocol: attack: the nonce of another login',
    quirks: ['wrong_nonce'],
    plays: 'login fails',
    seen: wrongClaim('nonce', 'nonce'),
  },
  {
    row: 'protocol: attack: an ID token for another party',
    quirks: ['wrong_azp'],
    plays: 'login fails',
    seen: wrongClaim('azp', 'idTokenAudiences'),
  },
  {
    row: 'protocol: attack: an ID token without a signature',
    quirks: ['alg_none'],
    plays: 'login fails',
    seen: wrongAlgorithm({ expected: 'RS256', received: 'none', setting: 'identitySource' }),
  },
];

/** Where the identity is. */
const IDENTITIES: readonly ProviderRow[] = [
  {
    row: 'identity: user info in `data` (X)',
    quirks: ['identity_nested_data'],
    plays: 'login works',
    unset: noIdentity({ reason: 'identity_missing', claim: 'sub', setting: 'identityFields' }),
  },
  {
    row: 'identity: user info by POST only (Dropbox)',
    quirks: ['user_info_post'],
    plays: 'login works',
    unset: noIdentity({ reason: 'user_info_failed', status: 405, setting: /userInfoRequest/ }),
  },
  {
    row: 'identity: user info by GraphQL (Linear)',
    quirks: ['user_info_graphql'],
    plays: 'login works',
    unset: noIdentity({ reason: 'user_info_failed', status: 400, setting: /userInfoRequest/ }),
  },
  {
    row: 'identity: user info with a header (Notion)',
    quirks: ['user_info_header'],
    plays: 'login works',
    unset: noIdentity({ reason: 'user_info_failed', status: 400, setting: /userInfoRequest/ }),
  },
  {
    row: 'identity: identity in the token answer (Notion)',
    quirks: ['identity_in_token_answer'],
    plays: 'login works',
    unset: noIdentity({ reason: 'user_info_failed', status: 404, setting: /userInfoRequest/ }),
  },
  {
    row: 'identity: user_id in the token answer (HubSpot)',
    quirks: ['user_id_in_token_answer'],
    plays: 'login works',
  },
  {
    row: 'identity: the user beside the token of a bot (Slack)',
    quirks: ['token_type_bot', 'bot_token_with_user'],
    plays: 'login works',
    unset: wrongType('bot'),
  },
  {
    row: 'identity: tokens nested in the answer (Slack)',
    quirks: ['token_type_user', 'nested_tokens'],
    plays: 'login works',
    fields: { '/team/id': 'T1' },
    unset: rejectedLogin(/the answer of the provider contains no usable tokens/, {
      reason: 'token_answer_invalid',
      setting: /tokensAt/,
    }),
  },
];

/** How a revocation looks, and what it ends. */
const REVOCATIONS: readonly ProviderRow[] = [
  {
    row: 'revocation: a logout where a revocation ends the whole grant (Google, Keycloak, Auth0)',
    quirks: ['revocation_ends_all_grants'],
    plays: 'logout leaves other sessions',
  },
  {
    row: 'revocation: a failed login where a revocation ends the whole grant',
    quirks: ['revocation_ends_all_grants'],
    provider: { idTokens: true },
    plays: 'failed login leaves other sessions',
  },
  {
    row: 'revocation: unsupported_token_type for the access token',
    quirks: ['revocation_access_token_unsupported'],
    plays: 'login works',
  },
  {
    row: 'revocation: 400 invalid_token for a token that is dead',
    quirks: ['revocation_dead_is_400'],
    plays: 'login works',
  },
];

/** A provider without discovery that revokes at a path of its own. */
function revocationAt(
  path: string,
  revocationRequest: NonNullable<ProviderOptions['revocationRequest']>,
): Pick<ProviderRow, 'provider' | 'options'> {
  const endpoints = endpointsBelow('https://provider.test');
  return {
    provider: { endpoints: { ...endpoints, revocation: `https://provider.test${path}` } },
    options: { revocationRequest },
  };
}

/** How revocations look. */
const REVOCATION_REQUESTS: readonly ProviderRow[] = [
  {
    row: 'revocation: revocation by DELETE (GitHub)',
    quirks: ['revocation_by_delete'],
    ...revocationAt('/applications/{clientId}/token', {
      method: 'DELETE',
      body: 'json',
      tokenField: 'access_token',
      tokens: 'access',
    }),
    plays: 'login works',
  },
  {
    row: 'revocation: revocation by JSON (Notion)',
    quirks: ['revocation_by_json'],
    ...revocationAt('/revoke', { body: 'json', tokens: 'access' }),
    plays: 'login works',
  },
  {
    row: 'revocation: revocation by the access token (Slack, Strava)',
    quirks: ['revocation_by_bearer'],
    ...revocationAt('/auth.revoke', { authentication: 'bearer', tokens: 'access' }),
    plays: 'login works',
  },
];

/** Metadata at one of two addresses. */
const METADATA: readonly ProviderRow[] = (
  [
    'oidc_metadata_html_200',
    'oidc_metadata_500',
    'oidc_metadata_502',
    'oidc_metadata_404',
    'oidc_metadata_401',
    'oidc_metadata_403',
    'oidc_metadata_302',
  ] as const satisfies QuirkName[]
).map((quirk) => ({ row: `discovery: ${quirk}`, quirks: [quirk], plays: 'login works' }));

/** No metadata at either address. */
const NO_METADATA: ProviderRow = {
  row: 'discovery: a web page at both addresses, and the endpoints as the way out',
  quirks: ['no_metadata'],
  plays: 'login works',
  unset: {
    login: /the metadata of the provider was not found/,
    log: {
      reason: 'discovery_failed',
      status: 200,
      endpoint: /\.well-known/,
      setting: 'issuer',
    },
  },
};

/** Logins that were lost. */
const LOST_LOGINS: readonly ProviderRow[] = [
  { row: 'outage: 200 HTML during maintenance', quirks: ['maintenance_html_200'], plays: 'maintenance' },
  { row: 'outage: 400 HTML of a balancer', quirks: ['maintenance_html_400'], plays: 'maintenance' },
  { row: 'outage: 503 HTML', quirks: ['maintenance_html_503'], plays: 'maintenance' },
  {
    row: 'outage: a refresh token that ends before its access token (Keycloak)',
    quirks: ['refresh_expires_first'],
    plays: 'refresh token expires first',
  },
  {
    row: 'outage: refresh_token_expires_in (GitHub)',
    quirks: ['refresh_token_expires_in'],
    plays: 'refresh token expires first',
  },
  {
    row: 'outage: x_refresh_token_expires_in (QuickBooks)',
    quirks: ['x_refresh_token_expires_in'],
    plays: 'refresh token expires first',
  },
  {
    row: 'outage: 400 with nothing',
    quirks: ['empty_400'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
  {
    row: 'outage: 400 with plain text',
    quirks: ['plain_text_400'],
    plays: 'grant ends',
    state: 'reauthentication_required',
  },
];

/** What the user did not grant, and what an API demands. */
const DEMANDS: readonly ProviderRow[] = [
  { row: 'consent: the user unticks a scope', quirks: ['scopes_unticked'], plays: 'scopes unticked' },
  {
    row: 'consent: the granted scopes in the callback (Strava)',
    quirks: ['scopes_in_callback'],
    options: { scopeSeparator: ',' },
    plays: 'scopes unticked',
  },
  { row: 'consent: 403 insufficient_scope', quirks: ['api_insufficient_scope'], plays: 'api demands' },
  {
    row: 'consent: 401 insufficient_claims (Entra ID)',
    quirks: ['api_insufficient_claims'],
    plays: 'api demands',
  },
  {
    row: 'consent: 403 for a dead token',
    quirks: ['api_403_dead_token'],
    plays: 'api rejects the dead token',
  },
];

/** Deployment, and what tools have to see. */
const DEPLOYMENT: readonly ProviderRow[] = [
  {
    row: 'deployment: scopes joined by comma (Strava)',
    quirks: ['scopes_by_comma'],
    plays: 'login works',
    unset: authorizationError('invalid_scope', 'scopes'),
  },
  {
    row: 'deployment: scopes in user_scope (Slack)',
    quirks: ['scopes_in_user_scope'],
    plays: 'login works',
    unset: authorizationError('invalid_scope', 'scopes'),
  },
  { row: 'deployment: scopes as a list (HubSpot)', quirks: ['scope_list'], plays: 'login works' },
  {
    row: 'deployment: realmId in the callback (QuickBooks)',
    quirks: ['realm_id_in_callback'],
    plays: 'login works',
    fields: { realmId: '4620816365000000000' },
  },
  {
    row: 'deployment: instance_url in the answer (Salesforce)',
    quirks: ['instance_url_in_answer', 'no_expires_in'],
    plays: 'login works',
    fields: { instance_url: 'https://acme.my.salesforce.com' },
    api: 'https://acme.my.salesforce.com/services/data',
  },
  {
    row: 'deployment: api_domain in the answer (Zoho)',
    quirks: ['api_domain_in_answer'],
    plays: 'login works',
    fields: { api_domain: 'https://www.zohoapis.eu' },
    api: 'https://www.zohoapis.eu/crm/v8/users',
  },
  {
    row: 'deployment: neither refresh token nor revocation endpoint (GitHub, LinkedIn)',
    quirks: ['no_refresh_token', 'no_revocation_endpoint'],
    plays: 'no refresh token',
  },
  {
    row: 'deployment: form_post callbacks (Apple)',
    quirks: ['form_post'],
    plays: 'login works',
    unset: authorizationError('invalid_request', 'scopes, authorizationParams'),
  },
  { row: 'deployment: errors with status 200 (GitHub)', quirks: ['error_status_200'], plays: 'login works' },
  {
    row: 'deployment: answers in form encoding (GitHub)',
    quirks: ['form_encoded_answer'],
    plays: 'login works',
  },
  ...(
    ['expires_in_text', 'expires_in_fraction', 'expires_in_zero', 'byte_order_mark', 'long_tokens'] as const
  ).map(
    (quirk): ProviderRow => ({
      row: 'deployment: an odd token response',
      quirks: [quirk],
      plays: 'login works',
    }),
  ),
  { row: 'RFC 9207 `iss` in the callback', quirks: ['iss_in_callback'], plays: 'login works' },
  {
    row: 'RFC 9207 attack: no `iss`, although the metadata announces it',
    quirks: ['no_iss_in_callback'],
    plays: 'login fails',
    seen: rejectedLogin(/the response to the login does not name the issuer of the provider/, {
      reason: 'response_issuer',
      expected: 'https://provider.test',
      setting: 'issuer',
    }),
  },
  {
    row: 'RFC 9207 attack: the `iss` of another provider',
    quirks: ['wrong_iss_in_callback'],
    plays: 'login fails',
    seen: rejectedLogin(/the response to the login does not name the issuer of the provider/, {
      reason: 'response_issuer',
      expected: 'https://provider.test',
      received: 'https://other.test',
      setting: 'issuer',
    }),
  },
];

/** Everything that was observed, in the order of its kinds. */
export const ROWS: readonly ProviderRow[] = [
  ...DEAD_TOKENS,
  ...FAILING_LOGINS,
  ...PROTOCOL,
  ...IDENTITIES,
  ...REVOCATIONS,
  ...REVOCATION_REQUESTS,
  ...METADATA,
  NO_METADATA,
  ...LOST_LOGINS,
  ...DEMANDS,
  ...DEPLOYMENT,
];
