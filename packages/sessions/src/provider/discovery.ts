import * as oidc from 'openid-client';
import { SessionError } from '../errors.js';
import { clientAuthentication } from './client-authentication.js';
import { providerFailure } from './provider-failure.js';
import type { ProviderSettings } from './provider-settings.js';

/**
 * Discovers a provider's metadata (RFC 8414, OpenID Connect Discovery).
 * @param call sends the requests
 * @throws SessionError `provider_unavailable`, `provider_refused`
 */
export async function discover(
  settings: ProviderSettings,
  call: oidc.CustomFetch,
): Promise<oidc.Configuration> {
  const { name, pkce, deviceFlow } = settings;
  let configuration: oidc.Configuration;
  try {
    configuration = await discoverBy('oidc', settings, call).catch((error: unknown) => {
      if (providerFailure(error).kind !== 'refused') throw error;
      // The provider may support OAuth only. Without OAuth metadata, the first error applies.
      return discoverBy('oauth2', settings, call).catch(() => {
        throw error;
      });
    });
  } catch (cause) {
    if (cause instanceof SessionError) throw cause;
    const { kind } = providerFailure(cause);
    if (kind !== 'unavailable' && kind !== 'lost') {
      throw new SessionError(
        'provider_refused',
        `The metadata of the identity provider "${name}" does not match the configuration of this server: ${reasonOf(cause)}. Ask the operator of this server to check the issuer.`,
        { cause },
      );
    }
    throw new SessionError(
      'provider_unavailable',
      `The identity provider "${name}" cannot be reached. Try again in a minute. If that fails, contact the operator of this server.`,
      { cause, retryAfterSeconds: 60 },
    );
  }
  const metadata = configuration.serverMetadata();
  if (deviceFlow && !metadata.device_authorization_endpoint) {
    throw new SessionError(
      'provider_refused',
      `The identity provider "${name}" does not announce the device flow. Ask the operator of this server to leave out \`deviceFlow\`.`,
    );
  }
  // PKCE protects authorization codes, which the device flow does not have.
  if (deviceFlow !== 'only' && pkce !== 'S256' && !metadata.supportsPKCE('S256')) {
    throw new SessionError(
      'provider_refused',
      `The identity provider "${name}" does not announce PKCE with S256. If it supports PKCE, ask the operator of this server to set \`pkce: 'S256'\`.`,
    );
  }
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

/** The errors of discovery contain no secrets. */
function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message : String(inner);
}
