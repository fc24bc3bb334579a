import * as oidc from 'openid-client';
import type { GrantedTokens, RefreshOutcome } from '../account/refresh/granted-tokens.js';
import type { ProviderFailure } from '../session/provider-failures.js';
import { ProviderError } from '../session/provider-failures.js';
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
import { FailureReporter } from './failure-reporter.js';
import { refreshedClaims } from './id-token.js';
import { identityOf, userInfo } from './identity.js';
import type { DeviceFlow } from './option-types.js';
import { ProviderConnection } from './provider-connection.js';
import { endpointOf, type FailurePlace } from './provider-failure.js';
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
  /** Logs errors of the configured `revoke`. */
  readonly onError: (error: unknown) => void;
  /** Receives each failure once, except for what users decide (RFC 8628 section 3.5) and for ended grants at a refresh. */
  readonly report: (failure: ProviderFailure) => void;
}

/** One upstream authorization server, over openid-client. */
export class Provider {
  readonly #settings: ProviderSettings;
  readonly #clock: Clock;
  readonly #connection: ProviderConnection;
  readonly #revocation: TokenRevocation;
  readonly #failures: FailureReporter;

  constructor(settings: ProviderSettings, runtime: ProviderRuntime) {
    const { clock, fetch, onError, report } = runtime;
    this.#settings = settings;
    this.#clock = clock;
    this.#connection = new ProviderConnection(settings, clock, fetch);
    this.#failures = new FailureReporter(settings.name, report);
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
   * @throws ProviderError; SessionError `configuration`
   */
  async prepare(): Promise<void> {
    await this.#configured();
  }

  /**
   * Creates the authorization URL of a login, with PKCE S256 (RFC 7636), state and nonce.
   * @param scopes the scopes to request. Default: the configured ones
   * @throws as `prepare`
   */
  async authorizationUrl(
    redirectUri: URL,
    checks: AuthorizationChecks,
    scopes: readonly string[] = this.scopes,
  ): Promise<URL> {
    const configuration = await this.#configured();
    return this.#failures.run(placeOf('authorization', configuration), () =>
      authorizationUrl(configuration, this.#settings, { redirectUri, checks, scopes }),
    );
  }

  /**
   * Redeems the code of an authorization response, after the checks of state, `iss` (RFC 9207) and nonce.
   * @param callback the URL to which the provider redirected the browser
   * @param scopes the requested scopes. Default: the configured ones
   * @throws as `prepare`. Tokens that were granted are revoked.
   */
  async exchange(
    callback: URL,
    checks: AuthorizationChecks,
    scopes: readonly string[] = this.scopes,
  ): Promise<GrantedTokens> {
    const configuration = await this.#configured();
    const requestedAtMs = this.#clock.now();
    const redeem = () =>
      oidc.authorizationCodeGrant(configuration, callback, {
        expectedState: checks.state.reveal(),
        pkceCodeVerifier: checks.codeVerifier.reveal(),
        ...(scopes.includes('openid') && {
          expectedNonce: checks.nonce.reveal(),
          idTokenExpected: true,
        }),
      });
    const response = await this.#failures.run(placeOf('token', configuration), () =>
      this.#connection.redeem(redeem, (tokens) => void this.discard(tokens)),
    );
    return this.#identified(configuration, response, { requestedAtMs, scopes });
  }

  /**
   * Requests a device authorization (RFC 8628).
   * @param scopes the scopes to request. Default: the configured ones
   * @throws as `prepare`
   */
  async authorizeDevice(scopes: readonly string[] = this.scopes): Promise<DeviceAuthorization> {
    const configuration = await this.#configured();
    return this.#failures.run(placeOf('device', configuration), () =>
      requestDeviceAuthorization(configuration, { ...this.#settings, scopes }, this.#clock),
    );
  }

  /** Requests the tokens of a device login, once. Never rejects. */
  async pollDevice(deviceCode: Secret, scopes: readonly string[] = this.scopes): Promise<DevicePoll> {
    // The endpoint of the code would be the wrong one in the log.
    let place: Omit<FailurePlace, 'provider'> = { step: 'discovery' };
    try {
      const configuration = await this.#connection.configured();
      place = { step: 'device', endpoint: endpointOf('token', configuration.serverMetadata()) };
      const requestedAtMs = this.#clock.now();
      const response = await this.#connection.redeem(
        () => requestDeviceTokens(configuration, deviceCode),
        (tokens) => void this.discard(tokens),
      );
      return {
        kind: 'granted',
        granted: await this.#identified(configuration, response, { requestedAtMs, scopes }),
      };
    } catch (cause) {
      const error = this.#failures.errorOf(cause, place);
      const poll = devicePollOf(error);
      if ('failure' in poll) this.#failures.report(error);
      return poll;
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
    const requestUserInfo = () => userInfo(configuration, response.access_token, this.#settings);
    try {
      return {
        ...granted,
        identity: await this.#failures.run(placeOf('user_info', configuration), requestUserInfo),
      };
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
      const cancel = this.#clock.after(REFRESH_TIMEOUT_MS, () => {
        const failure = { provider: this.name, step: 'refresh', reason: 'timeout', outcome: 'lost' } as const;
        resolve({ kind: 'lost', cause: new ProviderError(failure), late });
      });
      void answering.then(cancel);
    });
    const outcome = await Promise.race([answering, timeout]);
    if ('cause' in outcome && outcome.cause instanceof ProviderError) this.#failures.report(outcome.cause);
    return outcome;
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
    let place: Omit<FailurePlace, 'provider'> = { step: 'discovery' };
    try {
      const configuration = await this.#connection.configured();
      place = placeOf('refresh', configuration);
      const response = await oidc.refreshTokenGrant(configuration, refreshToken.reveal());
      return this.#checkIdToken(
        configuration,
        this.#granted(response, requestedAtMs),
        response[UNCHECKED_ID_TOKEN],
      );
    } catch (error) {
      const cause = this.#failures.errorOf(error, place);
      const { outcome, retryAfterSeconds } = cause.failure;
      // Without metadata, the refresh token was not sent.
      if (place.step === 'discovery')
        return {
          kind: cause.code === 'provider_unavailable' ? 'unavailable' : 'refused',
          retryAfterSeconds: undefined,
          cause,
        };
      switch (outcome) {
        case 'grant_revoked':
          return { kind: outcome };
        case 'lost':
          return { kind: outcome, cause };
        case 'unavailable':
          return { kind: outcome, retryAfterSeconds, cause };
        case 'denied':
        case 'refused':
          return { kind: 'refused', retryAfterSeconds, cause };
      }
    }
  }

  #configured(): Promise<oidc.Configuration> {
    return this.#failures.run({ step: 'discovery' }, () => this.#connection.configured());
  }

  #granted(response: TokenResponse, requestedAtMs: number): GrantedTokens {
    return {
      tokens: {
        accessToken: Secret.fromString(response.access_token),
        refreshToken: response.refresh_token ? Secret.fromString(response.refresh_token) : undefined,
      },
      requestedAtMs,
      expiresInSeconds: response.expires_in,
      refreshExpiresInSeconds: secondsOrUndefined(response.refresh_expires_in),
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

/** Where a request to an endpoint of the metadata fails. */
function placeOf(
  step: FailurePlace['step'],
  configuration: oidc.Configuration,
): Omit<FailurePlace, 'provider'> {
  return { step, endpoint: endpointOf(step, configuration.serverMetadata()) };
}

/** The reader of token answers has checked the value. */
function secondsOrUndefined(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
