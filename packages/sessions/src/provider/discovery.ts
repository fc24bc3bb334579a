import * as oidc from 'openid-client';
import { SessionError } from '../errors.js';
import { isSecureUrl } from '../secure-url.js';
import { ProviderError, type ProviderFailure, printable } from '../session/provider-failures.js';
import { clientAuthentication } from './client-authentication.js';
import { ENDPOINTS, type EndpointName, withoutInvalidFields } from './metadata-fields.js';
import { addressOf, failureOf } from './provider-failure.js';
import type { ProviderSettings } from './provider-settings.js';
import { metadataOf } from './server-metadata.js';

type Algorithm = 'oidc' | 'oauth2';

/** One address that discovery tried, and what it answered. */
type Attempt = NonNullable<ProviderFailure['attempts']>[number];

const MAX_TEXT_LENGTH = 200;

/** Reasons for which the other address of the same host would fail, too. */
const NOT_REACHED: ReadonlySet<ProviderFailure['reason']> = new Set([
  'name_not_resolved',
  'connection_failed',
  'timeout',
  'certificate_untrusted',
  'tls_failed',
]);

/**
 * Discovers a provider's metadata (OpenID Connect Discovery, then RFC 8414).
 * @param call sends the requests
 * @param needed the endpoints without which nothing is possible
 * @throws ProviderError
 */
export async function discover(
  settings: ProviderSettings,
  call: oidc.CustomFetch,
  needed: readonly EndpointName[],
): Promise<oidc.Configuration> {
  const { name: provider, issuer, pkce, deviceFlow } = settings;
  const configuration = await discovered(settings, call);
  const metadata = metadataOf(configuration);
  const lacking = (failure: Pick<ProviderFailure, 'step' | 'reason' | 'endpoint' | 'claim'>) =>
    new ProviderError({ provider, outcome: 'refused', endpoint: addressOf(issuer), ...failure });
  const missing = needed.find((name) => metadata[name] === undefined);
  if (missing !== undefined) throw lacking({ step: 'discovery', reason: 'endpoint_missing', claim: missing });
  const insecure = ENDPOINTS.map((name) => metadata[name]).find(
    (endpoint) => endpoint !== undefined && !isSecure(endpoint, settings),
  );
  if (insecure !== undefined)
    throw lacking({
      step: 'discovery',
      reason: 'endpoint_insecure',
      endpoint: addressOf(insecure),
    });
  if (deviceFlow && !metadata.device_authorization_endpoint)
    throw lacking({ step: 'device', reason: 'endpoint_missing' });
  // PKCE protects authorization codes, which the device flow does not have.
  if (deviceFlow !== 'only' && pkce === undefined && !metadata.supportsPKCE('S256'))
    throw lacking({ step: 'discovery', reason: 'pkce_unsupported' });
  return configuration;
}

/** Tries the addresses of the metadata. @throws ProviderError of the most telling answer, with all of them */
async function discovered(settings: ProviderSettings, call: oidc.CustomFetch): Promise<oidc.Configuration> {
  const { name, issuer } = settings;
  const attempts: Attempt[] = [];
  const failed: { readonly failure: ProviderFailure; readonly cause: unknown }[] = [];
  const algorithms: readonly Algorithm[] = issuer.includes('/.well-known/') ? ['oidc'] : ['oidc', 'oauth2'];
  for (const algorithm of algorithms) {
    const request = notingRequest(call);
    try {
      const configuration = await discoverBy(algorithm, settings, request.call);
      // Later responses are no metadata.
      configuration[oidc.customFetch] = call;
      return configuration;
    } catch (cause) {
      if (cause instanceof SessionError) throw cause;
      const { endpoint = issuer, answered } = request.noted();
      const found = failureOf(cause, { provider: name, step: 'discovery', endpoint });
      // openid-client compares URLs, and operators the option with what the metadata says.
      const failure = found.reason === 'issuer_mismatch' ? { ...found, expected: issuer } : found;
      attempts.push({ endpoint, answered: answered ?? failure.code ?? failure.reason });
      failed.push({ failure, cause });
      if (failure.reason === 'issuer_mismatch' || NOT_REACHED.has(failure.reason)) break;
    }
  }
  // Of two that tell as much, the first one applies.
  const { failure, cause } = failed.reduce((telling, next) =>
    rankOf(next.failure) < rankOf(telling.failure) ? next : telling,
  );
  throw new ProviderError({ ...failure, attempts }, { cause });
}

/** The lower, the more an operator learns from it. */
function rankOf({ reason }: ProviderFailure): number {
  if (reason === 'issuer_mismatch') return 0;
  if (reason === 'metadata_invalid') return 1;
  return reason === 'discovery_failed' ? 3 : 2;
}

/** Notes the address of a request, and its answer. */
function notingRequest(call: oidc.CustomFetch) {
  let endpoint: string | undefined;
  let answered: string | undefined;
  const noting: oidc.CustomFetch = async (url, options) => {
    endpoint = url;
    const response = await call(url, options);
    answered = printable(
      `${response.status} ${response.headers.get('content-type') ?? ''}`.trim(),
      MAX_TEXT_LENGTH,
    );
    return withoutInvalidFields(response);
  };
  return { call: noting, noted: () => ({ endpoint, answered }) };
}

async function discoverBy(
  algorithm: Algorithm,
  settings: ProviderSettings,
  noting: oidc.CustomFetch,
): Promise<oidc.Configuration> {
  const { issuer, clientId } = settings;
  return oidc.discovery(new URL(issuer), clientId, undefined, await clientAuthentication(settings), {
    algorithm,
    [oidc.customFetch]: noting,
    ...(isHttpAllowed(settings) && { execute: [oidc.allowInsecureRequests] }),
  });
}

/** Whether openid-client must allow http. The options allow it for loopback addresses only. */
export function isHttpAllowed({ issuer, endpoints }: ProviderSettings): boolean {
  const addresses: (string | undefined)[] = [issuer, ...Object.values(endpoints ?? {})];
  return addresses.some((address) => address !== undefined && new URL(address).protocol === 'http:');
}

/** A provider with https has no endpoint without it. An address that is none fails when it is used. */
function isSecure(endpoint: string, settings: ProviderSettings): boolean {
  if (!URL.canParse(endpoint)) return true;
  const { protocol } = new URL(endpoint);
  return protocol === 'https:' || (isHttpAllowed(settings) && isSecureUrl(endpoint));
}
