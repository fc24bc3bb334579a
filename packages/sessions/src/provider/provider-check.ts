import * as oidc from 'openid-client';
import { SessionError } from '../errors.js';
import { FAILURE_TEXTS } from '../session/provider-failure-texts.js';
import { type ProviderFailure, printable, settingFor } from '../session/provider-failures.js';
import type { Clock } from '../time/clock.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import { Secret } from '../vault/secret.js';
import { authorizationUrl, isPushed } from './authorization-request.js';
import { ProviderConnection } from './provider-connection.js';
import { endpointOf, failureOf } from './provider-failure.js';
import type { ProviderSettings } from './provider-settings.js';
import { RecordedRequests } from './recorded-requests.js';

/** What a check looks at. */
export type CheckName =
  | 'configuration'
  | 'proxy'
  | 'name_resolution'
  | 'tls'
  | 'discovery'
  | 'issuer'
  | 'pkce'
  | 'client_authentication'
  | 'scopes'
  | 'identity'
  | 'revocation'
  | 'pushed_authorization'
  | 'clock'
  | 'redirect_uri'
  | 'back_channel_logout';

/** What one check found. Contains no secret. */
export interface ProviderCheck {
  readonly check: CheckName;
  /** `unknown`: only a login shows it. `unused`: the configuration does not use it. */
  readonly result: 'ok' | 'failed' | 'unknown' | 'unused';
  readonly found: string;
  /** What to compare or to change. */
  readonly advice?: string;
  /** The options or environment variables that can end a failure, separated by commas. */
  readonly setting?: string;
  readonly failure?: ProviderFailure;
}

/** The checks of one provider. */
export interface ProviderReport {
  /** The name of the provider; `access` and `access.signIn` for the authorization server of the clients. */
  readonly provider: string;
  /** Whether no check has failed. */
  readonly ok: boolean;
  readonly checks: readonly ProviderCheck[];
}

/** The addresses of this server that are registered at the provider. */
export interface RegisteredAddresses {
  /** Absent while this server's address is not known. */
  readonly redirectUri?: URL | undefined;
  /** Absent if the provider cannot announce logouts. */
  readonly logoutUri?: URL | undefined;
}

export interface CheckRuntime {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly fetch: typeof fetch;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly wallClock?: () => number;
  /** Names the proxy that requests to a URL go through. Default: none. */
  readonly proxyFor?: (url: URL) => string | undefined;
  /** Whether to read the metadata only, without a registration. Default: false. */
  readonly isAnonymous?: boolean;
}

/** What came of the requests. */
interface Contact {
  readonly configuration: oidc.Configuration | undefined;
  /** Why there is no metadata. */
  readonly discovery: ProviderFailure | undefined;
  /** The answer to a token request with a random code. */
  readonly token: ProviderFailure | undefined;
  /** The answer to a pushed authorization request, if logins send one. */
  readonly pushed: ProviderFailure | undefined;
}

/** The scopes of OpenID Connect Core sections 5.4 and 11. A provider that announces scopes announces these. */
const STANDARD_SCOPES = new Set(['openid', 'profile', 'email', 'address', 'phone', 'offline_access']);
const PLACEHOLDER_URI = new URL('http://127.0.0.1/callback');
const MAX_SHOWN_CHARACTERS = 300;

/**
 * Checks a provider without a user: discovers its metadata, and sends a token request with a random code, which shows
 * whether the provider accepts the client. Never rejects.
 */
export async function checkProvider(
  settings: ProviderSettings,
  addresses: RegisteredAddresses,
  runtime: CheckRuntime,
): Promise<ProviderReport> {
  const requests = new RecordedRequests(runtime.fetch, runtime.wallClock);
  // Support for PKCE and the device flow are checks of their own, below.
  const lenient = { ...settings, pkce: settings.pkce ?? 'S256', deviceFlow: undefined } as const;
  const connection = new ProviderConnection(lenient, runtime.clock, requests.fetch);
  try {
    const contact = await contactProvider(lenient, connection, { addresses, runtime });
    const metadata = contact.configuration?.serverMetadata();
    const checks = [
      result('configuration', 'ok', `client ${settings.clientId} at ${settings.issuer}`),
      proxy(settings, runtime),
      nameResolution(contact, requests),
      tls(contact, requests),
      discovery(settings, contact, requests),
      issuer(settings, contact),
      ...(metadata
        ? [
            pkce(settings, metadata),
            clientAuthentication(contact),
            scopes(settings, metadata),
            identity(settings, metadata),
            revocation(settings, metadata),
            pushedAuthorization(lenient, contact),
          ]
        : WITHOUT_METADATA),
      clock(settings, requests),
      redirectUri(addresses),
      backChannelLogout(addresses, metadata),
    ];
    const isShown = ({ check }: ProviderCheck) => !runtime.isAnonymous || METADATA_CHECKS.has(check);
    return reportOf(settings.name, checks.filter(isShown));
  } catch (error) {
    const message = error instanceof SessionError ? error.message : 'The check failed.';
    return reportOf(settings.name, [result('configuration', 'failed', message)]);
  }
}

const METADATA_CHECKS: ReadonlySet<CheckName> = new Set([
  'proxy',
  'name_resolution',
  'tls',
  'discovery',
  'issuer',
  'clock',
]);

function reportOf(provider: string, checks: readonly ProviderCheck[]): ProviderReport {
  return { provider, ok: checks.every((each) => each.result !== 'failed'), checks };
}

async function contactProvider(
  settings: ProviderSettings,
  connection: ProviderConnection,
  { addresses, runtime }: { addresses: RegisteredAddresses; runtime: CheckRuntime },
): Promise<Contact> {
  const { name: provider } = settings;
  let configuration: oidc.Configuration;
  try {
    configuration = await connection.configured();
  } catch (error) {
    if (error instanceof SessionError && error.code === 'configuration') throw error;
    const discovery = failureOf(error, { provider, step: 'discovery', endpoint: settings.issuer });
    return { configuration: undefined, discovery, token: undefined, pushed: undefined };
  }
  const nothingSent = { configuration, discovery: undefined, token: undefined, pushed: undefined };
  if (runtime.isAnonymous) return nothingSent;
  const metadata = configuration.serverMetadata();
  const failing = async (step: 'token' | 'pushed_authorization', send: () => Promise<unknown>) => {
    try {
      await send();
      return undefined;
    } catch (error) {
      return failureOf(error, { provider, step, endpoint: endpointOf(step, metadata) });
    }
  };
  const redirectUri = addresses.redirectUri ?? PLACEHOLDER_URI;
  const secret = () => Secret.fromString(randomToken(runtime.random));
  const token = await failing('token', () => {
    const code = randomToken(runtime.random);
    const form = {
      code,
      redirect_uri: redirectUri.href,
      ...(settings.pkce !== 'off' && { code_verifier: randomToken(runtime.random) }),
    };
    return oidc.genericGrantRequest(configuration, 'authorization_code', form);
  });
  const pushed = isPushed(configuration, settings)
    ? await failing('pushed_authorization', () => {
        const checks = { state: secret(), nonce: secret(), codeVerifier: secret() };
        return authorizationUrl(configuration, settings, { redirectUri, checks, scopes: settings.scopes });
      })
    : undefined;
  return { ...nothingSent, token, pushed };
}

function result(
  check: CheckName,
  outcome: ProviderCheck['result'],
  found: string,
  more: Pick<ProviderCheck, 'advice' | 'setting'> = {},
): ProviderCheck {
  return { check, result: outcome, found: printable(found, MAX_SHOWN_CHARACTERS), ...more };
}

/** A check that failed as a request of a login would fail. */
function failed(check: CheckName, failure: ProviderFailure): ProviderCheck {
  const setting = settingFor(failure);
  const { short, advice } = FAILURE_TEXTS[failure.reason];
  const { claim, expected, received, code, status, oauthError, oauthDescription, endpoint } = failure;
  const details = Object.entries({
    endpoint,
    status,
    code,
    oauthError,
    oauthDescription,
    claim,
    expected,
    received,
  })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}`);
  const found = details.length > 0 ? `${short} (${details.join(', ')})` : short;
  const more = { advice, ...(setting !== undefined && { setting }) };
  return { ...result(check, 'failed', found, more), failure };
}

const WITHOUT_METADATA: readonly ProviderCheck[] = (
  ['pkce', 'client_authentication', 'scopes', 'identity', 'revocation', 'pushed_authorization'] as const
).map((check) => result(check, 'unknown', 'the metadata of the provider is not known'));

function failuresOf({ discovery, token, pushed }: Contact): readonly ProviderFailure[] {
  return [discovery, token, pushed].filter((each) => each !== undefined);
}

function proxy({ issuer: address, endpoints }: ProviderSettings, { proxyFor }: CheckRuntime): ProviderCheck {
  const used = proxyFor?.(new URL(endpoints?.token ?? address));
  return used === undefined ? result('proxy', 'unused', 'none') : result('proxy', 'ok', used);
}

function nameResolution(contact: Contact, requests: RecordedRequests): ProviderCheck {
  const unresolved = failuresOf(contact).find(({ reason }) => reason === 'name_not_resolved');
  if (unresolved) return failed('name_resolution', unresolved);
  return result('name_resolution', 'ok', requests.hosts.join(', '));
}

function tls(contact: Contact, requests: RecordedRequests): ProviderCheck {
  const rejected = failuresOf(contact).find(({ reason }) => TLS_REASONS.has(reason));
  if (rejected) return failed('tls', rejected);
  if (requests.isPlain) return result('tls', 'unused', 'http, on loopback');
  return requests.answers.some(({ status }) => status !== undefined)
    ? result('tls', 'ok', 'the certificate is trusted')
    : result('tls', 'unknown', 'the provider was not reached');
}

const TLS_REASONS: ReadonlySet<string> = new Set(['certificate_untrusted', 'tls_failed']);
/** Reasons that have a check of their own before discovery. */
const EARLIER_REASONS: ReadonlySet<string> = new Set([...TLS_REASONS, 'name_not_resolved']);

function discovery(
  { endpoints }: ProviderSettings,
  contact: Contact,
  requests: RecordedRequests,
): ProviderCheck {
  if (endpoints) return result('discovery', 'unused', '`endpoints` are configured');
  const answers = requests.answers.filter(({ isForm }) => !isForm);
  const found = answers.map(({ address, answered }) => `${address}: ${answered}`).join('; ');
  const { discovery: failure } = contact;
  if (!failure || failure.reason === 'issuer_mismatch') return result('discovery', 'ok', found);
  if (EARLIER_REASONS.has(failure.reason))
    return result('discovery', 'unknown', 'the provider was not reached');
  const check = failed('discovery', failure);
  return { ...check, found: printable(`${check.found}; ${found}`, 2 * MAX_SHOWN_CHARACTERS) };
}

function issuer(
  { endpoints }: ProviderSettings,
  { discovery: failure, configuration }: Contact,
): ProviderCheck {
  if (failure?.reason === 'issuer_mismatch') return failed('issuer', failure);
  if (endpoints) return result('issuer', 'unused', '`endpoints` are configured');
  if (!configuration) return result('issuer', 'unknown', 'the metadata of the provider is not known');
  return result('issuer', 'ok', configuration.serverMetadata().issuer);
}

function pkce(
  settings: ProviderSettings,
  metadata: Readonly<oidc.ServerMetadata & oidc.ServerMetadataHelpers>,
): ProviderCheck {
  if (settings.deviceFlow === 'only') return result('pkce', 'unused', 'the device flow has no code');
  if (settings.pkce !== undefined) return result('pkce', 'ok', `${settings.pkce}, by configuration`);
  if (metadata.supportsPKCE('S256')) return result('pkce', 'ok', 'S256, announced');
  return failed('pkce', {
    provider: settings.name,
    step: 'discovery',
    reason: 'pkce_unsupported',
    outcome: 'refused',
  });
}

function clientAuthentication({ token }: Contact): ProviderCheck {
  const name = 'client_authentication';
  if (!token) return result(name, 'unknown', 'the provider accepted a random code');
  const { reason, oauthError, status } = token;
  if (reason === 'client_rejected') return failed(name, token);
  if (reason === 'grant_rejected' || oauthError === 'invalid_request')
    return result(name, 'ok', 'the provider accepts the client, and refused a random code');
  if (EARLIER_REASONS.has(reason)) return result(name, 'unknown', 'the token endpoint was not reached');
  if (token.outcome === 'unavailable' || token.outcome === 'lost') return failed(name, token);
  return result(name, 'unknown', `the provider answered ${oauthError ?? status ?? reason} to a random code`);
}

/** A provider need not announce every scope (RFC 8414 section 2), except for those that OpenID Connect defines. */
function scopes({ scopes: requested }: ProviderSettings, metadata: oidc.ServerMetadata): ProviderCheck {
  const announced = metadata.scopes_supported;
  if (requested.length === 0) return result('scopes', 'unused', 'no scope is requested');
  if (!Array.isArray(announced)) return result('scopes', 'unknown', 'the provider announces no scopes');
  const missing = requested.filter((scope) => !announced.includes(scope));
  if (missing.length === 0) return result('scopes', 'ok', `${requested.join(' ')}: announced`);
  const isStandard = missing.some((scope) => STANDARD_SCOPES.has(scope));
  return result('scopes', isStandard ? 'failed' : 'unknown', `not announced: ${missing.join(' ')}`, {
    advice: isStandard
      ? 'The provider announces scopes, and not these. Remove them, or look up how the provider calls them.'
      : 'Providers need not announce every scope. Compare it with the documentation of the provider.',
    setting: 'scopes',
  });
}

function identity(settings: ProviderSettings, metadata: oidc.ServerMetadata): ProviderCheck {
  const { identitySource, scopes: requested, name: provider } = settings;
  if (identitySource === 'token_response')
    return result('identity', 'ok', 'the answer of the token endpoint');
  const hasIdToken = requested.includes('openid') && identitySource !== 'user_info';
  if (hasIdToken) return result('identity', 'ok', 'the ID token');
  const { userinfo_endpoint: endpoint } = metadata;
  if (endpoint) return result('identity', 'ok', `the user info at ${endpoint}`);
  const lacking = { provider, step: 'user_info', reason: 'endpoint_missing', outcome: 'refused' } as const;
  return failed('identity', lacking);
}

function revocation(settings: ProviderSettings, metadata: oidc.ServerMetadata): ProviderCheck {
  const { revocation: scope, revoke } = settings;
  if (scope === 'none') return result('revocation', 'unused', 'off, by configuration');
  if (revoke) return result('revocation', 'ok', 'by the option `revoke`');
  const { revocation_endpoint: endpoint } = metadata;
  if (endpoint) return result('revocation', 'ok', endpoint);
  return result('revocation', 'unused', 'the provider announces no revocation endpoint', {
    advice: 'After a logout, tokens stay valid at the provider until they expire there.',
    setting: 'endpoints',
  });
}

function pushedAuthorization(settings: ProviderSettings, { configuration, pushed }: Contact): ProviderCheck {
  const name = 'pushed_authorization';
  if (!configuration || !isPushed(configuration, settings)) return result(name, 'unused', 'not required');
  if (pushed) return failed(name, pushed);
  return result(name, 'ok', String(configuration.serverMetadata().pushed_authorization_request_endpoint));
}

function clock(
  { clockToleranceSeconds }: ProviderSettings,
  { clockDifference }: RecordedRequests,
): ProviderCheck {
  if (clockDifference === undefined) return result('clock', 'unknown', 'the provider sent no date');
  const found =
    clockDifference === 0
      ? 'no difference'
      : `the clock of the provider is ${Math.abs(clockDifference)} s ${clockDifference > 0 ? 'ahead' : 'behind'}`;
  if (Math.abs(clockDifference) <= clockToleranceSeconds) return result('clock', 'ok', found);
  const advice =
    'Synchronize the clock of this machine. If that of the provider is wrong, raise the tolerance.';
  return result('clock', 'failed', found, { advice, setting: 'clockToleranceSeconds' });
}

function redirectUri({ redirectUri: uri }: RegisteredAddresses): ProviderCheck {
  if (!uri)
    return result('redirect_uri', 'unknown', 'the address of this server is not known yet', {
      advice: 'Set the public URL, which the redirect URI depends on.',
      setting: 'publicUrl',
    });
  const advice = 'Compare it with the redirect URI of the registration, letter by letter.';
  return result('redirect_uri', 'unknown', uri.href, { advice });
}

function backChannelLogout(
  { logoutUri }: RegisteredAddresses,
  metadata: oidc.ServerMetadata | undefined,
): ProviderCheck {
  const name = 'back_channel_logout';
  if (!logoutUri || !metadata?.jwks_uri || metadata.backchannel_logout_supported !== true)
    return result(name, 'unused', 'the provider does not announce it');
  const advice = 'To sign users out who log out at the provider, register it as `backchannel_logout_uri`.';
  return result(name, 'unknown', logoutUri.href, { advice });
}
