import type * as oidc from 'openid-client';
import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import { Secret } from '../vault/secret.js';
import { checkIdToken, type IdTokenCheck, type IdTokenExpectations } from './id-token.js';
import type { ProviderSettings } from './provider-settings.js';
import { shownFields } from './shown-fields.js';
import { RAW_ANSWER, UNCHECKED_ID_TOKEN } from './token-answers.js';

/** When a token request was sent, and the query of the authorization response before it, if there was one. */
interface TokenRequest {
  readonly requestedAtMs: number;
  readonly callback?: URLSearchParams | undefined;
}

/** What a token response grants, without the user. `scopes` are those that the provider names. */
export function grantedIn(
  response: oidc.TokenEndpointResponse,
  settings: ProviderSettings,
  { requestedAtMs, callback }: TokenRequest,
): GrantedTokens {
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
    scopes: response.scope === undefined ? undefined : scopesIn(response.scope, settings),
    identity: undefined,
    ...shownFields(settings, { body: response[RAW_ANSWER], tokens, callback }),
  };
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
  const { issuer, id_token_signing_alg_values_supported: announced } = configuration.serverMetadata();
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
  if (!idToken || !identifiesUsers(settings)) return granted;
  if ('claims' in idToken) return { ...granted, identity: { subject: idToken.claims.sub } };
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
