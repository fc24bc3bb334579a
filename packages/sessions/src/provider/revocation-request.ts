import type * as oidc from 'openid-client';
import { clientAuthentication } from './client-authentication.js';
import type { ProviderSettings } from './provider-settings.js';
import { metadataOf } from './server-metadata.js';

/** A token that is revoked, and what a request needs beside it. */
export interface RevokedToken {
  readonly token: string;
  readonly hint: 'access_token' | 'refresh_token';
  /** Authenticates the request, where the provider wants it. */
  readonly accessToken: string;
}

/** The arguments of `fetch`. */
export interface RevocationCall {
  readonly url: string;
  readonly init: RequestInit;
}

/** The request that revokes a token: that of RFC 7009 section 2.1, unless `revocationRequest` differs. */
export async function revocationRequest(
  settings: ProviderSettings,
  configuration: oidc.Configuration,
  { token, hint, accessToken }: RevokedToken,
): Promise<RevocationCall> {
  const { clientId, revocationRequest: given } = settings;
  const { method = 'POST', body = 'form', tokenField = 'token', authentication = 'client' } = given ?? {};
  const headers = new Headers({ accept: 'application/json', ...given?.headers });
  const fields = new URLSearchParams({ [tokenField]: token, ...(!given && { token_type_hint: hint }) });
  const metadata = metadataOf(configuration);
  if (authentication === 'bearer') headers.set('authorization', `Bearer ${accessToken}`);
  else {
    const authenticate = await clientAuthentication(body === 'form' ? settings : inHeader(settings));
    await Promise.resolve(authenticate(metadata, configuration.clientMetadata(), fields, headers));
  }
  const endpoint = metadata.revocation_endpoint ?? '';
  const url = endpoint.replace('{clientId}', () => encodeURIComponent(clientId));
  if (body === 'form') return { url, init: { method, headers, body: fields, redirect: 'manual' } };
  headers.set('content-type', 'application/json');
  const json = JSON.stringify(Object.fromEntries(fields));
  return { url, init: { method, headers, body: json, redirect: 'manual' } };
}

/** A secret in a body that is no form is in no specification. */
function inHeader(settings: ProviderSettings): ProviderSettings {
  return settings.clientAuthentication === 'client_secret_post'
    ? { ...settings, clientAuthentication: 'client_secret_basic', isAuthenticationGiven: true }
    : { ...settings, isAuthenticationGiven: true };
}
