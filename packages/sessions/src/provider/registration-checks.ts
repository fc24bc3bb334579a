import type * as oidc from 'openid-client';
import { isPushed } from './authorization-request.js';
import { isAccepted } from './id-token.js';
import { EARLIER_REASONS } from './network-checks.js';
import type { Contact, RegisteredAddresses } from './provider-contact.js';
import { failed, NO_METADATA, type ProviderCheck, result } from './provider-report.js';
import type { ProviderSettings } from './provider-settings.js';
import { metadataOf } from './server-metadata.js';

/** The scopes of OpenID Connect Core sections 5.4 and 11. A provider that announces scopes announces these. */
const STANDARD_SCOPES = new Set(['openid', 'profile', 'email', 'address', 'phone', 'offline_access']);

export function pkce(
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

export function clientAuthentication({ token }: Contact): ProviderCheck {
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
export function scopes(
  { scopes: requested }: ProviderSettings,
  metadata: oidc.ServerMetadata,
): ProviderCheck {
  const announced = metadata.scopes_supported;
  if (requested.length === 0) return result('scopes', 'unused', 'no scope is requested');
  if (!announced?.length) return result('scopes', 'unknown', 'the provider announces no scopes');
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

export function identity(settings: ProviderSettings, metadata: oidc.ServerMetadata): ProviderCheck {
  const { identitySource, scopes: requested, name: provider } = settings;
  if (identitySource === 'token_response') return identityIn('the answer of the token endpoint', settings);
  const hasIdToken = requested.includes('openid') && identitySource !== 'user_info';
  if (hasIdToken) return idTokenAlgorithms(settings, metadata);
  const { userinfo_endpoint: endpoint } = metadata;
  if (endpoint) return identityIn(`the user info at ${endpoint}`, settings, IN_USER_INFO);
  const lacking = { provider, step: 'user_info', reason: 'endpoint_missing', outcome: 'refused' } as const;
  return failed('identity', lacking);
}

/** OpenID Connect Core section 5.3.2 requires `sub`. Of other answers, only a login shows which fields they have. */
function identityIn(
  where: string,
  { identityFields, scopes: requested }: ProviderSettings,
  more: { readonly advice: string; readonly setting: string } = IN_TOKEN_RESPONSE,
): ProviderCheck {
  const fields = [identityFields?.subject ?? 'sub'].flat().join(', ');
  const isCertain = identityFields !== undefined || requested.includes('openid');
  return result('identity', isCertain ? 'ok' : 'unknown', `${fields} in ${where}`, isCertain ? {} : more);
}

const IN_TOKEN_RESPONSE = {
  advice:
    'If the answer has no such field, set `identityFields` to the field, or the JSON Pointer, that contains the id of the user.',
  setting: 'identityFields',
};
const IN_USER_INFO = {
  advice: `${IN_TOKEN_RESPONSE.advice} If the request fails, set its method, headers and body with \`userInfoRequest\`.`,
  setting: 'identityFields, userInfoRequest',
};

/** A provider may sign with an algorithm that it does not announce, which is what the option is for. */
function idTokenAlgorithms(settings: ProviderSettings, metadata: oidc.ServerMetadata): ProviderCheck {
  const { idTokenAlgorithms: accepted, name: provider } = settings;
  const announced = metadata.id_token_signing_alg_values_supported;
  const isPossible = announced?.some((alg) => isAccepted(alg, accepted)) ?? true;
  if (isPossible) return result('identity', 'ok', 'the ID token');
  const received = announced?.join(' ') ?? '';
  if (accepted) {
    const found = `the ID token, if it is signed with ${accepted.join(' or ')}; announced: ${received}`;
    const advice = 'If a login fails with `id_token_algorithm`, remove `idTokenAlgorithms`.';
    return result('identity', 'unknown', found, { advice, setting: 'idTokenAlgorithms' });
  }
  const none = { provider, step: 'token', reason: 'id_token_algorithm', outcome: 'refused' } as const;
  return failed('identity', { ...none, expected: 'any but none', received });
}

export function revocation(settings: ProviderSettings, metadata: oidc.ServerMetadata): ProviderCheck {
  const { revocation: scope, revoke } = settings;
  if (scope === 'none') return result('revocation', 'unused', 'off, by configuration');
  if (revoke) return result('revocation', 'ok', 'by the option `revoke`');
  const { revocation_endpoint: endpoint } = metadata;
  if (endpoint) return result('revocation', 'ok', endpoint);
  return result('revocation', 'unused', 'the provider announces no revocation endpoint', {
    advice:
      'After a logout, tokens stay valid at the provider until they expire there. If it has an address that revokes them, set `endpoints`.',
    setting: 'endpoints',
  });
}

export function pushedAuthorization(
  settings: ProviderSettings,
  { configuration, pushed }: Contact,
): ProviderCheck {
  const name = 'pushed_authorization';
  if (!configuration || !isPushed(configuration, settings)) return result(name, 'unused', 'not required');
  if (pushed) return failed(name, pushed);
  return result(name, 'ok', String(metadataOf(configuration).pushed_authorization_request_endpoint));
}

export function redirectUri({ redirectUri: uri }: RegisteredAddresses): ProviderCheck {
  if (!uri)
    return result('redirect_uri', 'unknown', 'the address of this server is not known yet', {
      advice: 'Set the public URL, which the redirect URI depends on.',
      setting: 'publicUrl',
    });
  const advice = 'Compare it with the redirect URI of the registration, letter by letter.';
  return result('redirect_uri', 'unknown', uri.href, { advice });
}

export function backChannelLogout(
  { logoutUri }: RegisteredAddresses,
  metadata: oidc.ServerMetadata | undefined,
): ProviderCheck {
  const name = 'back_channel_logout';
  if (logoutUri && !metadata) return result(name, 'unknown', NO_METADATA);
  if (!logoutUri || !metadata?.jwks_uri || metadata.backchannel_logout_supported !== true)
    return result(name, 'unused', 'the provider does not announce it');
  const advice = 'To sign users out who log out at the provider, register it as `backchannel_logout_uri`.';
  return result(name, 'unknown', logoutUri.href, { advice });
}
