import type * as oidc from 'openid-client';
import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import { Secret } from '../vault/secret.js';
import { checkIdToken, type IdTokenCheck, type IdTokenExpectations } from './id-token.js';
import type { ProviderSettings } from './provider-settings.js';
import { metadataOf } from './server-metadata.js';
import { shownFields } from './shown-fields.js';
import { RAW_ANSWER, UNCHECKED_ID_TOKEN } from './token-answers.js';

/** Scopes that ask for a refresh token, and which providers such as Entra ID do not name in their responses. */
const OFFLINE_SCOPES: ReadonlySet<string> = new Set(['offline_access', 'offline.access', 'refresh_token']);
/** Scopes that ask for claims about the user, not for access (OpenID Connect Core section 5.4). */
const CLAIM_SCOPES: ReadonlySet<string> = new Set(['profile', 'email', 'address', 'phone']);
/** The names of two scopes in Google's responses. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['email', 'https://www.googleapis.com/auth/userinfo.email'],
  ['profile', 'https://www.googleapis.com/auth/userinfo.profile'],
]);

/** Of what a response names besides the requested scopes, the rest is ignored. */
export const MAX_GRANTED_SCOPES = 500;
export const MAX_GRANTED_SCOPE_LENGTH = 256;

/** What a token response answers. */
interface TokenRequest {
  readonly requestedAtMs: number;
  /** The scopes that were requested, now or at the login. */
  readonly scopes: readonly string[];
  /** The query of the authorization response before it, if there was one. */
  readonly callback?: URLSearchParams | undefined;
  readonly isRefresh?: boolean;
}

/** What a token response grants, without the user. `scopes` are those that the provider names or proves. */
export function grantedIn(
  response: oidc.TokenEndpointResponse,
  settings: ProviderSettings,
  request: TokenRequest,
): GrantedTokens {
  const { requestedAtMs, callback } = request;
  const { access_token: accessToken, refresh_token: refreshToken } = response;
  const { refresh_expires_in: refreshExpiresInSeconds } = response;
  const idToken = idTokenIn(response);
  const tokens = [accessToken, refreshToken, typeof idToken === 'string' ? idToken : undefined];
  return {
    tokens: {
      accessToken: Secret.fromString(accessToken),
      refreshToken: refreshToken ? Secret.fromString(refreshToken) : undefined,
    },
    requestedAtMs,
    expiresInSeconds: response.expires_in,
    ...(typeof refreshExpiresInSeconds === 'number' && { refreshExpiresInSeconds }),
    scopes: grantedScopes(response, settings, request),
    identity: undefined,
    ...shownFields(settings, { body: response[RAW_ANSWER], tokens, callback }),
  };
}

/** @returns `undefined` if the response names none: the requested ones (RFC 6749 section 5.1) */
function grantedScopes(
  response: oidc.TokenEndpointResponse,
  settings: ProviderSettings,
  { scopes: requested, isRefresh = false }: TokenRequest,
): readonly string[] | undefined {
  if (response.scope === undefined) return undefined;
  const named = scopesIn(response.scope, settings);
  const isOpenId = requested.includes('openid') && (isRefresh || idTokenIn(response) !== undefined);
  // Such a response names the scopes of one resource only (RFC 8707 section 2.2), as those of Entra ID do.
  const isOfResource = isOpenId && !named.includes('openid');
  const isProved = (scope: string) =>
    (scope === 'openid' && isOpenId) ||
    (CLAIM_SCOPES.has(scope) && isOfResource) ||
    (OFFLINE_SCOPES.has(scope) && (isRefresh || response.refresh_token !== undefined)) ||
    named.includes(OTHER_NAMES.get(scope) ?? scope);
  const proved = requested.filter(isProved);
  const others = named.filter((scope) => scope.length <= MAX_GRANTED_SCOPE_LENGTH);
  const all = [...new Set([...others, ...proved])];
  return all.length <= MAX_GRANTED_SCOPES
    ? all
    : [...new Set([...proved, ...all])].slice(0, MAX_GRANTED_SCOPES);
}

/** The requested scopes that an authorization response names (Strava). The user can remove some, and gains none. */
export function scopesInCallback(
  callback: URLSearchParams | undefined,
  settings: ProviderSettings,
  requested: readonly string[],
): readonly string[] | undefined {
  const scope = callback?.get('scope');
  if (typeof scope !== 'string') return undefined;
  const named = scopesIn(scope, settings);
  return requested.filter((each) => named.includes(each));
}

/** Checks the ID token of a response. @returns `undefined` if there is none */
export function checkedIdToken(
  response: oidc.TokenEndpointResponse,
  settings: ProviderSettings,
  configuration: oidc.Configuration,
  expected: Pick<IdTokenExpectations, 'nonce' | 'isRefresh'>,
): IdTokenCheck | undefined {
  const idToken = idTokenIn(response);
  if (idToken === undefined) return undefined;
  const { issuer, id_token_signing_alg_values_supported: announced } = metadataOf(configuration);
  return checkIdToken(idToken, {
    issuer,
    clientId: settings.clientId,
    algorithms: settings.idTokenAlgorithms ?? announced,
    audiences: settings.idTokenAudiences,
    toleranceSeconds: settings.clockToleranceSeconds,
    nowSeconds: Date.now() / 1000,
    ...expected,
  });
}

/** Adds the user of the ID token that came with a refresh. One that is not valid does not invalidate the tokens. */
export function refreshedIn(
  granted: GrantedTokens,
  idToken: IdTokenCheck | undefined,
  settings: ProviderSettings,
): GrantedTokens {
  if (!idToken) return granted;
  const isIdentity = identifiesUsers(settings);
  if ('claims' in idToken) {
    const { sub } = idToken.claims;
    return { ...granted, openIdSubject: sub, ...(isIdentity && { identity: { subject: sub } }) };
  }
  if (!isIdentity) return granted;
  const { claim, received } = idToken.fault;
  const isOtherIssuer = claim === 'iss' && received !== undefined;
  return { ...granted, nonconformance: isOtherIssuer ? 'issuer_changed' : 'id_token_invalid' };
}

/** Whether the ID token identifies the users of this provider, rather than fields that the options name. */
function identifiesUsers({ identitySource, identityFields, scopes }: ProviderSettings): boolean {
  if (identitySource !== undefined) return identitySource === 'id_token';
  return identityFields === undefined || scopes.includes('openid');
}

function idTokenIn(response: oidc.TokenEndpointResponse): unknown {
  return response[UNCHECKED_ID_TOKEN];
}

/** GitHub separates scopes by commas in responses only. */
function scopesIn(scope: string, { endpoints, scopeSeparator }: ProviderSettings): readonly string[] {
  const areByComma = scopeSeparator === ',' || endpoints !== undefined;
  return scope.split(areByComma ? /[ ,]/ : ' ').filter(Boolean);
}
