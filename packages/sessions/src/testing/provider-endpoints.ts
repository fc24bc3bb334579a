import type { ProviderEndpoints } from '../provider/option-types.js';
import type { ProviderEndpoint } from './provider-faults.js';
import type { QuirkFacts } from './quirk-hooks.js';

/** The endpoints of a provider with discovery. */
export function endpointsBelow(base: string): ProviderEndpoints {
  return {
    authorization: `${base}/authorize`,
    token: `${base}/token`,
    userInfo: `${base}/userinfo`,
    revocation: `${base}/revocation`,
    deviceAuthorization: `${base}/device_authorization`,
    pushedAuthorization: `${base}/par`,
  };
}

/** The addresses of a provider's metadata (OpenID Connect Discovery section 4, RFC 8414 section 3.1). */
export function metadataAddresses(issuer: string): Readonly<Record<'oidc' | 'oauth', string>> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return {
    oidc: `${origin}${path}/.well-known/openid-configuration`,
    oauth: `${origin}/.well-known/oauth-authorization-server${path}`,
  };
}

/** @param discovered the issuer, if its metadata is discovered */
export function addressesOf(
  { endpoints, clientId }: Pick<QuirkFacts, 'endpoints' | 'clientId'>,
  discovered: string | undefined,
): ReadonlyMap<string, ProviderEndpoint> {
  const addresses = new Map<string, ProviderEndpoint>();
  const add = (url: string | undefined, endpoint: ProviderEndpoint) => {
    if (url !== undefined) addresses.set(addressOf(url), endpoint);
  };
  add(endpoints.token, 'token');
  add(endpoints.userInfo, 'userinfo');
  add(endpoints.revocation?.replace('{clientId}', clientId), 'revocation');
  add(endpoints.deviceAuthorization, 'device');
  add(endpoints.pushedAuthorization, 'pushed_authorization');
  if (discovered !== undefined) {
    for (const address of Object.values(metadataAddresses(discovered))) add(address, 'discovery');
  }
  return addresses;
}

/** An address without its query. */
export function addressOf(url: string | URL): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

export function metadataOf(issuer: string, endpoints: ProviderEndpoints): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: endpoints.authorization,
    token_endpoint: endpoints.token,
    userinfo_endpoint: endpoints.userInfo,
    revocation_endpoint: endpoints.revocation,
    device_authorization_endpoint: endpoints.deviceAuthorization,
    code_challenge_methods_supported: ['S256'],
    id_token_signing_alg_values_supported: ['RS256'],
  };
}
