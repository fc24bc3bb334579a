import * as oidc from 'openid-client';
import type { GrantedTokens, RefreshOutcome } from '../account/refresh/granted-tokens.js';
import { SessionError } from '../errors.js';
import type { Revocation } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { Secret } from '../vault/secret.js';
import { type TokenSet, wipeTokenSet } from '../vault/token-set.js';
import {
  type DeviceAuthorization,
  type DevicePoll,
  devicePollOf,
  requestDeviceAuthorization,
  requestDeviceTokens,
} from './device-authorization.js';
import { refreshedClaims } from './id-token.js';
import { ProviderConnection, REVOCATION_TIMEOUT_MS } from './provider-connection.js';
import { providerFailure } from './provider-failure.js';
import type { DeviceFlow, ProviderSettings } from './provider-options.js';
import { UNCHECKED_ID_TOKEN } from './token-answers.js';
import { identityOf, userInfo } from './user-info.js';

/** What binds an authorization response to the request it answers. */
export interface AuthorizationChecks {
  readonly state: Secret;
  readonly nonce: Secret;
  readonly codeVerifier: Secret;
}

type TokenResponse = oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers;

/** A refresh that takes longer counts as lost; it is not aborted. */
const REFRESH_PATIENCE_MS = 30_000;
const MAX_REVOCATION_TRIES = 3;

/** One upstream authorization server, over openid-client. */
export class Provider {
  readonly #settings: ProviderSettings;
  readonly #clock: Clock;
  readonly #connection: ProviderConnection;

  constructor(settings: ProviderSettings, clock: Clock, fetch: typeof globalThis.fetch) {
    this.#settings = settings;
    this.#clock = clock;
    this.#connection = new ProviderConnection(settings, clock, fetch);
  }

  get name(): string {
    return this.#settings.name;
  }

  /** The provider's name on the pages of a login. */
  get displayName(): string {
    return this.#settings.displayName;
  }

  get issuer(): string {
    return this.#settings.issuer;
  }

  /** The host at which users log in, as far as this server is told without asking. */
  get host(): string {
    const { endpoints, issuer } = this.#settings;
    return new URL(endpoints?.authorization ?? issuer).host;
  }

  get scopes(): readonly string[] {
    return this.#settings.scopes;
  }

  /** Whether users may, or have to, log in by a code at the provider's own page; absent: they cannot. */
  get deviceFlow(): DeviceFlow | undefined {
    return this.#settings.deviceFlow;
  }

  /**
   * Discovers the provider's metadata (RFC 8414, OpenID Connect Discovery) unless that is done already.
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  async prepare(): Promise<void> {
    await this.#connection.configured();
  }

  /**
   * The address that starts a login at the provider, with PKCE S256 (RFC 7636), state and nonce.
   * @param scopes the scopes to request. Default: the configured ones
   * @throws SessionError as `prepare`
   */
  async authorizationUrl(
    redirectUri: URL,
    checks: AuthorizationChecks,
    scopes: readonly string[] = this.scopes,
  ): Promise<URL> {
    const configuration = await this.#connection.configured();
    const { authorizationParams } = this.#settings;
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
   * @param scopes the requested scopes. Default: the configured ones
   * @throws what openid-client throws; {@link providerFailure} reads it. SessionError `provider_refused`
   * or `provider_unavailable` when the provider does not say who logged in. Tokens that were granted all the
   * same are revoked.
   */
  async exchange(
    callback: URL,
    checks: AuthorizationChecks,
    scopes: readonly string[] = this.scopes,
  ): Promise<GrantedTokens> {
    const configuration = await this.#connection.configured();
    const requestedAtMs = this.#clock.now();
    const response = await this.#connection.redeem(
      () =>
        oidc.authorizationCodeGrant(configuration, callback, {
          expectedState: checks.state.reveal(),
          pkceCodeVerifier: checks.codeVerifier.reveal(),
          ...(scopes.includes('openid') && {
            expectedNonce: checks.nonce.reveal(),
            idTokenExpected: true,
          }),
        }),
      (tokens) => void this.discard(tokens),
    );
    return this.#identified(configuration, response, { requestedAtMs, scopes });
  }

  /**
   * Asks for a code that a user can approve a login with (RFC 8628).
   * @param scopes the scopes to request. Default: the configured ones
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  async authorizeDevice(scopes: readonly string[] = this.scopes): Promise<DeviceAuthorization> {
    const configuration = await this.#connection.configured();
    return requestDeviceAuthorization(configuration, { ...this.#settings, scopes }, this.#clock);
  }

  /** Asks, once, for the tokens of a login that the user may have approved by now. Never rejects. */
  async pollDevice(deviceCode: Secret, scopes: readonly string[] = this.scopes): Promise<DevicePoll> {
    try {
      const configuration = await this.#connection.configured();
      const requestedAtMs = this.#clock.now();
      const response = await this.#connection.redeem(
        () => requestDeviceTokens(configuration, deviceCode),
        (tokens) => void this.discard(tokens),
      );
      return {
        kind: 'granted',
        granted: await this.#identified(configuration, response, { requestedAtMs, scopes }),
      };
    } catch (error) {
      return devicePollOf(error);
    }
  }

  /** Adds to what was granted who it belongs to. @throws as `exchange`; the tokens are revoked then */
  async #identified(
    configuration: oidc.Configuration,
    response: TokenResponse,
    { requestedAtMs, scopes }: { requestedAtMs: number; scopes: readonly string[] },
  ): Promise<GrantedTokens> {
    const tokens = this.#granted(response, requestedAtMs);
    // Not told otherwise, what was asked for was granted (RFC 6749 section 5.1).
    const granted = { ...tokens, scopes: tokens.scopes ?? scopes };
    const claims = response.claims();
    if (claims) return { ...granted, identity: identityOf(claims), idTokenClaims: claims };
    try {
      return { ...granted, identity: await userInfo(configuration, response.access_token, this.#settings) };
    } catch (error) {
      void this.discard(granted.tokens);
      throw error;
    }
  }

  /**
   * Exchanges a refresh token for new tokens (RFC 6749 section 6), once. Never rejects, and is never
   * aborted: after 30 seconds it counts as lost, and what still comes is in its `late`.
   */
  async refresh(refreshToken: Secret): Promise<RefreshOutcome> {
    const answering = this.#refresh(refreshToken);
    const late = answering.then((outcome) =>
      outcome.kind === 'granted' ? outcome.granted.tokens : undefined,
    );
    const impatience = new Promise<RefreshOutcome>((resolve) => {
      const cause = new Error('The provider did not answer within 30 seconds.');
      const cancel = this.#clock.after(REFRESH_PATIENCE_MS, () => resolve({ kind: 'lost', cause, late }));
      void answering.then(cancel);
    });
    return Promise.race([answering, impatience]);
  }

  /**
   * Revokes a token set: with the configured `revoke`, or at the revocation endpoint (RFC 7009), the refresh token
   * first. Never rejects; each request has 5 seconds.
   */
  async revoke(tokens: TokenSet): Promise<Revocation> {
    if (this.#settings.revoke) return this.#revokeByHook(this.#settings.revoke, tokens);
    try {
      const configuration = await this.#connection.configured();
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

  /** Has tokens revoked that nobody wants, and wipes them. Never rejects. */
  async discard(tokens: TokenSet): Promise<void> {
    await this.revoke(tokens);
    wipeTokenSet(tokens);
  }

  async #refresh(refreshToken: Secret): Promise<RefreshOutcome> {
    const requestedAtMs = this.#clock.now();
    try {
      const configuration = await this.#connection.configured();
      const response = await oidc.refreshTokenGrant(configuration, refreshToken.reveal());
      return this.#judge(configuration, this.#granted(response, requestedAtMs), response[UNCHECKED_ID_TOKEN]);
    } catch (cause) {
      if (cause instanceof SessionError) {
        const kind = cause.code === 'provider_unavailable' ? 'unavailable' : 'refused';
        return { kind, retryAfterSeconds: undefined, cause };
      }
      const { kind, retryAfterSeconds } = providerFailure(cause);
      switch (kind) {
        case 'grant_revoked':
          return { kind };
        case 'lost':
          return { kind, cause };
        case 'unavailable':
          return { kind, retryAfterSeconds, cause };
        default:
          return { kind: 'refused', retryAfterSeconds, cause };
      }
    }
  }

  #granted(response: TokenResponse, requestedAtMs: number): GrantedTokens {
    return {
      tokens: {
        accessToken: Secret.fromString(response.access_token),
        refreshToken: response.refresh_token ? Secret.fromString(response.refresh_token) : undefined,
      },
      requestedAtMs,
      expiresInSeconds: response.expires_in,
      // Those who know nothing of OpenID Connect may separate them by commas (GitHub).
      scopes: response.scope?.split(this.#settings.endpoints ? /[ ,]/ : ' ').filter(Boolean),
      identity: undefined,
    };
  }

  /** A new ID token that cannot be used is no reason to lose the tokens; one about somebody else is. */
  #judge(configuration: oidc.Configuration, granted: GrantedTokens, idToken: unknown): RefreshOutcome {
    if (idToken === undefined) return { kind: 'granted', granted };
    const { issuer } = configuration.serverMetadata();
    const claims = refreshedClaims(idToken, this.#settings.clientId);
    if (!claims) return { kind: 'granted', granted: { ...granted, nonconformance: 'id_token_invalid' } };
    // Entra ID has one issuer for each tenant, and the metadata of all of them.
    const { tenant } = claims;
    const expected = tenant === undefined ? issuer : issuer.replace('{tenantid}', () => tenant);
    if (claims.issuer !== expected)
      return { kind: 'granted', granted: { ...granted, nonconformance: 'issuer_changed' } };
    return { kind: 'granted', granted: { ...granted, identity: claims.identity } };
  }

  async #revokeByHook(
    revoke: NonNullable<ProviderSettings['revoke']>,
    { accessToken, refreshToken }: TokenSet,
  ): Promise<Revocation> {
    const deadline = new AbortController();
    const timeout = new DOMException('The revocation took too long.', 'TimeoutError');
    const cancel = this.#clock.after(REVOCATION_TIMEOUT_MS, () => deadline.abort(timeout));
    const expired = new Promise<never>((_resolve, reject) => {
      deadline.signal.addEventListener('abort', () => reject(timeout), { once: true });
    });
    try {
      const texts = { accessToken: accessToken.reveal(), refreshToken: refreshToken?.reveal() };
      await Promise.race([revoke(texts, deadline.signal), expired]);
      return 'confirmed';
    } catch {
      return 'unconfirmed';
    } finally {
      cancel();
    }
  }

  /** @returns whether the provider confirmed the revocation */
  async #revokeOne(configuration: oidc.Configuration, token: Secret, hint: string): Promise<boolean> {
    for (let tries = 1; tries <= MAX_REVOCATION_TRIES; tries++) {
      try {
        await oidc.tokenRevocation(configuration, token.reveal(), { token_type_hint: hint });
        return true;
      } catch (error) {
        if (providerFailure(error).kind === 'refused') return false;
      }
    }
    return false;
  }
}
