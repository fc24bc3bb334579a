import * as oidc from 'openid-client';
import { SessionError } from '../errors.js';
import { ProviderError, type ProviderFailure } from '../session/provider-failures.js';
import { clientAuthentication } from './client-authentication.js';
import { failureOf } from './provider-failure.js';
import type { ProviderSettings } from './provider-settings.js';
/**
 * Discovers a provider's metadata (RFC 8414, OpenID Connect Discovery).
 * @param call sends the requests
 * @throws ProviderError; SessionError `configuration`
 */
export async function discover(
  settings: ProviderSettings,
  call: oidc.CustomFetch,
): Promise<oidc.Configuration> {
  const { name, issuer, pkce, deviceFlow } = settings;
  const place = { provider: name, step: 'discovery', endpoint: issuer } as const;
  let configuration: oidc.Configuration;
  try {
    configuration = await discoverBy('oidc', settings, call).catch((error: unknown) => {
      if (failureOf(error, place).outcome !== 'refused') throw error;
      // The provider may support OAuth only. Without OAuth metadata, the first error applies.
      return discoverBy('oauth2', settings, call).catch(() => {
        throw error;
      });
    });
  } catch (cause) {
    if (cause instanceof SessionError) throw cause;
    throw new ProviderError(failureOf(cause, place), { cause });
  }
  const metadata = configuration.serverMetadata();
  const lacking = (failure: Pick<ProviderFailure, 'step' | 'reason'>) =>
    new ProviderError({ provider: name, outcome: 'refused', ...failure });
  if (deviceFlow && !metadata.device_authorization_endpoint)
    throw lacking({ step: 'device', reason: 'endpoint_missing' });
  // PKCE protects authorization codes, which the device flow does not have.
  if (deviceFlow !== 'only' && pkce !== 'S256' && !metadata.supportsPKCE('S256'))
    throw lacking({ step: 'discovery', reason: 'pkce_unsupported' });
  return configuration;
}

async function discoverBy(
  algorithm: 'oidc' | 'oauth2',
  settings: ProviderSettings,
  call: oidc.CustomFetch,
): Promise<oidc.Configuration> {
  const { issuer, clientId } = settings;
  return oidc.discovery(new URL(issuer), clientId, undefined, await clientAuthentication(settings), {
    algorithm,
    [oidc.customFetch]: call,
    ...(isHttpAllowed(settings) && { execute: [oidc.allowInsecureRequests] }),
  });
}

/** Whether openid-client must allow http. The options allow it for loopback addresses only. */
export function isHttpAllowed({ issuer, endpoints }: ProviderSettings): boolean {
  const addresses: (string | undefined)[] = [issuer, ...Object.values(endpoints ?? {})];
  return addresses.some((address) => address !== undefined && new URL(address).protocol === 'http:');
}
