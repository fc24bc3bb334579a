import * as oidc from 'openid-client';
import type { GrantedTokens, RefreshOutcome } from '../account/refresh/granted-tokens.js';
import { SessionError } from '../errors.js';
import type { Revocation } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { Secret } from '../vault/secret.js';
import { type TokenSet, wipeTokenSet } from '../vault/token-set.js';
import { type AuthorizationChecks, authorizationUrl } from './authorization-request.js';
import {
  type DeviceAuthorization,
  type DevicePoll,
  devicePollOf,
  requestDeviceAuthorization,
  requestDeviceTokens,
} from './device-authorization.js';
import { refreshedClaims } from './id-token.js';
import { identityOf, userInfo } from './identity.js';
import type { DeviceFlow } from './option-types.js';
import { ProviderConnection } from './provider-connection.js';
import { providerFailure } from './provider-failure.js';
import type { ProviderSettings } from './provider-settings.js';
import { TokenRevocation } from './revocation.js';
import { UNCHECKED_ID_TOKEN } from './token-answers.js';

type TokenResponse = oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers;

/** A refresh without a response after this time is lost. It is not aborted. */
const REFRESH_TIMEOUT_MS = 30_000;

/** What a provider runs on. */
export interface ProviderRuntime {
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  readonly onError: (error: unknown) => void;
}

/** One upstream authorization server, over openid-client. */
export class Provider {
  readonly #settings: ProviderSettings;
  readonly #clock: Clock;
  readonly #connection: ProviderConnection;
  readonly #revocation: TokenRevocation;

  /** @param runtime `onError` logs errors of the configured `revoke` */
  constructor(settings: ProviderSettings, runtime: ProviderRuntime) {
    const { clock, fetch, onError } = runtime;
    this.#settings = settings;
    this.#clock = clock;
    this.#connection = new ProviderConnection(settings, clock, fetch);
    this.#revocation = new TokenRevocation(settings, this.#connection, { clock, onError });
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

  /** The host at which users log in, as configured; discovery may name another. */
  get host(): string {
    const { endpoints, issuer } = this.#settings;
    return new URL(endpoints?.authorization ?? issuer).host;
  }

  get scopes(): readonly string[] {
    return this.#settings.scopes;
  }

  /** Whether users may or must log in with the device flow; absent: they cannot. */
  get deviceFlow(): DeviceFlow | undefined {
    return this.#settings.deviceFlow;
  }

  /**
   * Discovers the provider's metadata (RFC 8414, OpenID Connect Discovery), once.
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  async prepare(): Promise<void> {
    await this.#connection.configured();
  }

  /**
   * Creates the authorization URL of a login, with PKCE S256 (RFC 7636), state and nonce.
   * @param scopes the scopes to request. Default: the configured ones
   * @throws SessionError as `prepare`
   */
  async authorizationUrl(
    redirectUri: URL,
    checks: AuthorizationChecks,
    scopes: readonly string[] = this.scopes,
  ): Promise<URL> {
    const configuration = await this.#connection.configured();
    return authorizationUrl(configuration, this.#settings, { redirectUri, checks, scopes });
  }

  /**
   * Redeems the code of an authorization response, after the checks of state, `iss` (RFC 9207) and nonce.
   * @param callback the URL to which the provider redirected the browser
   * @param scopes the requested scopes. Default: the configured ones
   * @throws errors of openid-client, which {@link providerFailure} classifies; SessionError `provider_refused` or
   * `provider_unavailable` if the provider does not identify the user. Tokens that were granted are revoked.
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
   * Requests a device authorization (RFC 8628).
   * @param scopes the scopes to request. Default: the configured ones
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  async authorizeDevice(scopes: readonly string[] = this.scopes): Promise<DeviceAuthorization> {
    const configuration = await this.#connection.configured();
    return requestDeviceAuthorization(configuration, { ...this.#settings, scopes }, this.#clock);
  }

  /** Requests the tokens of a device login, once. Never rejects. */
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

  /** Adds the identity of the user to the tokens. @throws as `exchange`; the tokens are revoked then */
  async #identified(
    configuration: oidc.Configuration,
    response: TokenResponse,
    { requestedAtMs, scopes }: { requestedAtMs: number; scopes: readonly string[] },
  ): Promise<GrantedTokens> {
    const tokens = this.#granted(response, requestedAtMs);
    // Without `scope` in the response, the requested scopes were granted (RFC 6749 section 5.1).
    const granted = { ...tokens, scopes: tokens.scopes ?? scopes, requestedScopes: scopes };
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
   * Exchanges a refresh token for new tokens (RFC 6749 section 6), once. Never rejects and never aborts the request:
   * after 30 seconds the outcome is `lost`, and `late` resolves to the tokens of a later response.
   */
  async refresh(refreshToken: Secret): Promise<RefreshOutcome> {
    const answering = this.#refresh(refreshToken);
    const late = answering.then((outcome) =>
      outcome.kind === 'granted' ? outcome.granted.tokens : undefined,
    );
    const timeout = new Promise<RefreshOutcome>((resolve) => {
      const cause = new Error('The provider did not respond within 30 seconds.');
      const cancel = this.#clock.after(REFRESH_TIMEOUT_MS, () => resolve({ kind: 'lost', cause, late }));
      void answering.then(cancel);
    });
    return Promise.race([answering, timeout]);
  }

  /**
   * Revokes a token set: with the configured `revoke`, or at the revocation endpoint (RFC 7009), the refresh token
   * first. Never rejects; each request has 5 seconds.
   */
  async revoke(tokens: TokenSet): Promise<Revocation> {
    return this.#revocation.revoke(tokens);
  }

  /** Revokes and wipes tokens that are not used. Never rejects. */
  async discard(tokens: TokenSet): Promise<void> {
    await this.revoke(tokens);
    wipeTokenSet(tokens);
  }

  async #refresh(refreshToken: Secret): Promise<RefreshOutcome> {
    const requestedAtMs = this.#clock.now();
    try {
      const configuration = await this.#connection.configured();
      const response = await oidc.refreshTokenGrant(configuration, refreshToken.reveal());
      return this.#checkIdToken(
        configuration,
        this.#granted(response, requestedAtMs),
        response[UNCHECKED_ID_TOKEN],
      );
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
      // GitHub separates scopes by commas.
      scopes: response.scope?.split(this.#settings.endpoints ? /[ ,]/ : ' ').filter(Boolean),
      identity: undefined,
    };
  }

  /** Checks the ID token of a refresh. One that is not valid does not invalidate the tokens. */
  #checkIdToken(configuration: oidc.Configuration, granted: GrantedTokens, idToken: unknown): RefreshOutcome {
    if (idToken === undefined) return { kind: 'granted', granted };
    const { issuer } = configuration.serverMetadata();
    const claims = refreshedClaims(idToken, this.#settings.clientId);
    if (!claims) return { kind: 'granted', granted: { ...granted, nonconformance: 'id_token_invalid' } };
    // Entra ID has an issuer for each tenant, and one metadata document for all tenants.
    const { tenant } = claims;
    const expected = tenant === undefined ? issuer : issuer.replace('{tenantid}', () => tenant);
    if (claims.issuer !== expected)
      return { kind: 'granted', granted: { ...granted, nonconformance: 'issuer_changed' } };
    return { kind: 'granted', granted: { ...granted, identity: claims.identity } };
  }
}
