import * as oidc from 'openid-client';
import type { GrantedTokens, Identity, RefreshOutcome } from '../account/granted-tokens.js';
import { SessionError } from '../errors.js';
import type { Revocation } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { Secret } from '../vault/secret.js';
import { type TokenSet, wipeTokenSet } from '../vault/token-set.js';
import { providerFailure } from './provider-failure.js';
import type { ProviderSettings } from './provider-options.js';
import { normaliseTokenResponse } from './token-response.js';

/** What binds an authorization response to the request it answers. */
export interface AuthorizationChecks {
  readonly state: Secret;
  readonly nonce: Secret;
  readonly codeVerifier: Secret;
}

const REQUEST_TIMEOUT_SECONDS = 10;
const REFRESH_TIMEOUT_SECONDS = 30;
const REVOCATION_TIMEOUT_SECONDS = 5;
const REVOCATION_TRIES = 3;
/** After a failed discovery, the next login waits this long before it asks again. */
const DISCOVERY_PAUSE_MS = 2000;

/** One upstream authorization server, over openid-client. */
export class Provider {
  readonly #settings: ProviderSettings;
  readonly #clock: Clock;
  readonly #fetch: typeof fetch;
  #configuration: Promise<oidc.Configuration> | undefined;

  constructor(settings: ProviderSettings, clock: Clock, fetch: typeof globalThis.fetch) {
    this.#settings = settings;
    this.#clock = clock;
    this.#fetch = fetch;
  }

  get name(): string {
    return this.#settings.name;
  }

  get scopes(): readonly string[] {
    return this.#settings.scopes;
  }

  /**
   * Discovers the provider's metadata (RFC 8414, OpenID Connect Discovery) unless that is done already.
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  async prepare(): Promise<void> {
    await this.#configured();
  }

  /**
   * The address that starts a login at the provider, with PKCE S256 (RFC 7636), state and nonce.
   * @throws SessionError as `prepare`
   */
  async authorizationUrl(redirectUri: URL, checks: AuthorizationChecks): Promise<URL> {
    const configuration = await this.#configured();
    const { scopes, authorizationParams } = this.#settings;
    return oidc.buildAuthorizationUrl(configuration, {
      ...authorizationParams,
      redirect_uri: redirectUri.href,
      scope: scopes.join(' '),
      state: checks.state.reveal(),
      nonce: checks.nonce.reveal(),
      code_challenge: await oidc.calculatePKCECodeChallenge(checks.codeVerifier.reveal()),
      code_challenge_method: 'S256',
    });
  }

  /**
   * Redeems the code of an authorization response, after state, `iss` (RFC 9207) and nonce are checked.
   * @param callback the address the browser came back to
   * @throws what openid-client throws; {@link providerFailure} reads it. SessionError `provider_refused`
   * when the provider does not say who logged in.
   */
  async exchange(callback: URL, checks: AuthorizationChecks): Promise<GrantedTokens> {
    const configuration = await this.#configured();
    const requestedAtMs = this.#clock.now();
    const response = await oidc.authorizationCodeGrant(configuration, callback, {
      expectedState: checks.state.reveal(),
      pkceCodeVerifier: checks.codeVerifier.reveal(),
      ...(this.#settings.scopes.includes('openid') && {
        expectedNonce: checks.nonce.reveal(),
        idTokenExpected: true,
      }),
    });
    const granted = this.#granted(response, requestedAtMs, identityOf(response));
    if (granted.identity) return granted;
    try {
      return { ...granted, identity: await this.#userInfo(configuration, response.access_token) };
    } catch (error) {
      void this.revoke(granted.tokens).finally(() => wipeTokenSet(granted.tokens));
      throw error;
    }
  }

  /** Exchanges a refresh token for new tokens (RFC 6749 section 6). Never rejects, and cannot be aborted. */
  async refresh(refreshToken: Secret): Promise<RefreshOutcome> {
    const outcome = await this.#refreshOnce(refreshToken);
    // The answer may be lost on the way back; asking once more finds out whether the token was used up.
    return outcome.kind === 'lost' ? this.#refreshOnce(refreshToken) : outcome;
  }

  /** Revokes a token set (RFC 7009), the refresh token first. Never rejects; each request is bounded to 5 s. */
  async revoke(tokens: TokenSet): Promise<Revocation> {
    try {
      const configuration = await this.#configured();
      if (!configuration.serverMetadata().revocation_endpoint) return 'unsupported';
      const { refreshToken, accessToken } = tokens;
      const isRefreshDead =
        !refreshToken || (await this.#revokeOne(configuration, refreshToken, 'refresh_token'));
      const isAccessDead = await this.#revokeOne(configuration, accessToken, 'access_token');
      return isRefreshDead && isAccessDead ? 'confirmed' : 'unconfirmed';
    } catch {
      return 'unconfirmed';
    }
  }

  async #refreshOnce(refreshToken: Secret): Promise<RefreshOutcome> {
    const requestedAtMs = this.#clock.now();
    try {
      const configuration = await this.#configured();
      const response = await oidc.refreshTokenGrant(configuration, refreshToken.reveal());
      return { kind: 'granted', granted: this.#granted(response, requestedAtMs, identityOf(response)) };
    } catch (cause) {
      if (cause instanceof SessionError) return { kind: 'unavailable', retryAfterSeconds: undefined, cause };
      const { kind, retryAfterSeconds } = providerFailure(cause);
      if (kind === 'grant_revoked') return { kind };
      return kind === 'lost' ? { kind, cause } : { kind: 'unavailable', retryAfterSeconds, cause };
    }
  }

  /** @returns whether the provider confirmed it. */
  async #revokeOne(configuration: oidc.Configuration, token: Secret, hint: string): Promise<boolean> {
    for (let tries = 1; tries <= REVOCATION_TRIES; tries++) {
      try {
        await oidc.tokenRevocation(configuration, token.reveal(), { token_type_hint: hint });
        return true;
      } catch (error) {
        if (providerFailure(error).kind === 'refused') return false;
      }
    }
    return false;
  }

  #granted(
    response: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers,
    requestedAtMs: number,
    identity: Identity | undefined,
  ): GrantedTokens {
    return {
      tokens: {
        accessToken: Secret.fromString(response.access_token),
        refreshToken: response.refresh_token ? Secret.fromString(response.refresh_token) : undefined,
      },
      requestedAtMs,
      expiresInSeconds: response.expires_in,
      scopes: response.scope?.split(' ').filter(Boolean) ?? undefined,
      identity,
    };
  }

  async #userInfo(configuration: oidc.Configuration, accessToken: string): Promise<Identity> {
    if (!configuration.serverMetadata().userinfo_endpoint) {
      throw new SessionError(
        'provider_refused',
        `"${this.name}" does not say who logged in: add the scope \`openid\` to its configuration.`,
      );
    }
    const info = await oidc.fetchUserInfo(configuration, accessToken, oidc.skipSubjectCheck);
    return { subject: info.sub, name: info.name ?? info.preferred_username };
  }

  async #configured(): Promise<oidc.Configuration> {
    this.#configuration ??= this.#discover();
    const configuring = this.#configuration;
    try {
      return await configuring;
    } catch (error) {
      this.#clock.after(DISCOVERY_PAUSE_MS, () => {
        if (this.#configuration === configuring) this.#configuration = undefined;
      });
      throw error;
    }
  }

  async #discover(): Promise<oidc.Configuration> {
    const { issuer, clientId, clientSecret, name, pkce } = this.#settings;
    const isHttp = new URL(issuer).protocol === 'http:';
    let configuration: oidc.Configuration;
    try {
      configuration = await oidc.discovery(
        new URL(issuer),
        clientId,
        undefined,
        clientSecret ? oidc.ClientSecretBasic(clientSecret) : oidc.None(),
        {
          timeout: REQUEST_TIMEOUT_SECONDS,
          [oidc.customFetch]: (url, options) => this.#call(url, options),
          ...(isHttp && { execute: [oidc.allowInsecureRequests] }),
        },
      );
    } catch (cause) {
      const { kind } = providerFailure(cause);
      if (kind !== 'unavailable' && kind !== 'lost') {
        throw new SessionError(
          'provider_refused',
          `What the identity provider "${name}" says of itself does not fit this server's configuration: ${reasonOf(cause)}. Tell the operator of this server.`,
          { cause },
        );
      }
      throw new SessionError(
        'provider_unavailable',
        `The identity provider "${name}" cannot be reached. Try again in a minute; if it stays so, tell the operator of this server.`,
        { cause, retryAfterSeconds: 60 },
      );
    }
    if (pkce !== 'S256' && !configuration.serverMetadata().supportsPKCE('S256')) {
      throw new SessionError(
        'provider_refused',
        `The identity provider "${name}" does not announce PKCE with S256. If it supports it all the same, the operator sets \`pkce: 'S256'\`.`,
      );
    }
    return configuration;
  }

  async #call(url: string, options: oidc.CustomFetchOptions): Promise<Response> {
    const { body, ...rest } = options;
    // Nothing but forms is ever sent to a provider.
    const form = body instanceof URLSearchParams ? body : null;
    const grantType = form?.get('grant_type');
    const response = await this.#fetch(url, {
      ...rest,
      body: form,
      signal: AbortSignal.timeout(timeoutSecondsOf(form) * 1000),
    });
    return grantType ? normaliseTokenResponse(response) : response;
  }
}

/** Discovery exchanges no secrets, so its errors may be shown. */
function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message : String(inner);
}

function timeoutSecondsOf(form: URLSearchParams | null): number {
  if (form?.get('grant_type') === 'refresh_token') return REFRESH_TIMEOUT_SECONDS;
  return form?.has('token_type_hint') ? REVOCATION_TIMEOUT_SECONDS : REQUEST_TIMEOUT_SECONDS;
}

function identityOf(
  response: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers,
): Identity | undefined {
  const claims = response.claims();
  if (!claims) return undefined;
  const name = claims.name ?? claims.preferred_username ?? claims.email;
  return { subject: claims.sub, name: typeof name === 'string' ? name : undefined };
}
