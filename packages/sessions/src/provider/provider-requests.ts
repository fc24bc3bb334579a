import * as oidc from 'openid-client';
import type { BeforeSend, GrantedTokens, RefreshOutcome } from '../account/refresh/granted-tokens.js';
import type { ProviderFailure } from '../session/provider-failures.js';
import { ProviderError } from '../session/provider-failures.js';
import type { Revocation } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import type { Fence } from '../time/fence.js';
import type { Secret } from '../vault/secret.js';
import { type TokenSet, wipeTokenSet } from '../vault/token-set.js';
import {
  type AuthorizationChecks,
  type AuthorizationDifferences,
  authorizationUrl,
  isPushed,
  resourceParameters,
} from './authorization-request.js';
import { assertSuccess } from './authorization-response.js';
import { credentialsIn } from './credentials.js';
import {
  type DeviceAuthorization,
  type DevicePoll,
  devicePollOf,
  requestDeviceAuthorization,
  requestDeviceTokens,
} from './device-authorization.js';
import { FailureReporter } from './failure-reporter.js';
import { identify, userInfo } from './identity.js';
import { ProviderConnection } from './provider-connection.js';
import { endpointOf, type FailurePlace, placeOf, tokenAnswerIn } from './provider-failure.js';
import { type JsonWebKeySet, ProviderKeys } from './provider-keys.js';
import type { ProviderSettings } from './provider-settings.js';
import { failedRefresh } from './refresh-failure.js';
import { TokenRevocation } from './revocation.js';
import { metadataOf } from './server-metadata.js';
import { RAW_ANSWER } from './token-answers.js';
import { checkedIdToken, grantedIn, refreshedIn, scopesInCallback } from './token-response.js';

/** What a login by the device flow requests. */
export interface DeviceRequest {
  /** Default: the configured ones. */
  readonly scopes?: readonly string[] | undefined;
  /** JSON of claims to request besides the configured ones. Default: none. */
  readonly claims?: string | undefined;
}

/** What a login requested, and how its response came. */
interface LoginRequest {
  readonly requestedAtMs: number;
  readonly scopes: readonly string[];
  /** Absent in the device flow, which has none. */
  readonly nonce?: Secret;
  /** The query of the authorization response. Absent in the device flow. */
  readonly callback?: URLSearchParams;
}

/** The tokens of a device login before their user is identified, or why there are none. */
type DeviceAnswer =
  | {
      readonly configuration: oidc.Configuration;
      readonly response: oidc.TokenEndpointResponse;
      readonly requestedAtMs: number;
    }
  | DevicePoll;

/** A refresh without a response after this time is lost. It is not aborted. */
const REFRESH_TIMEOUT_MS = 30_000;

const UNWANTED = { kind: 'unwanted' } as const;

/** A fence that keeps its answer: openid-client wraps the error of a request that is not sent. */
interface WatchedFence {
  readonly look: Fence;
  readonly isTooLate: boolean;
}

function watchedFence(fence: Fence): WatchedFence {
  const watched = {
    isTooLate: false,
    look: () => {
      watched.isTooLate = !fence();
      return !watched.isTooLate;
    },
  };
  return watched;
}

const sendAlways: BeforeSend = () => Promise.resolve(() => true);

/** What a provider runs on. */
export interface ProviderRuntime {
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  /** Logs errors of the signal of the configured `revoke`. */
  readonly onError: (error: unknown) => void;
  /**
   * Receives each failure once, except for what users decide (RFC 8628 section 3.5) and for ended grants at a refresh.
   */
  readonly report: (failure: ProviderFailure) => void;
}

/** The requests to one upstream authorization server, over openid-client. */
export class ProviderRequests {
  readonly #settings: ProviderSettings;
  readonly #clock: Clock;
  readonly #connection: ProviderConnection;
  readonly #revocation: TokenRevocation;
  readonly #failures: FailureReporter;
  readonly #keys: ProviderKeys;

  constructor(settings: ProviderSettings, runtime: ProviderRuntime) {
    const { clock, fetch, onError, report } = runtime;
    this.#settings = settings;
    this.#clock = clock;
    this.#connection = new ProviderConnection(settings, clock, fetch);
    this.#failures = new FailureReporter(settings.name, report, credentialsIn(settings));
    const failures = this.#failures;
    this.#keys = new ProviderKeys(this.#connection, failures, clock);
    this.#revocation = new TokenRevocation(settings, this.#connection, { clock, fetch, onError, failures });
  }

  /**
   * Discovers the provider's metadata (RFC 8414, OpenID Connect Discovery), once.
   * @throws ProviderError
   */
  async prepare(): Promise<void> {
    await this.#configured();
  }

  /**
   * The issuer of its logout tokens, and whether it publishes the keys that these are signed with.
   * @throws as `prepare`
   */
  async logoutTokenIssuer(): Promise<{ readonly issuer: string; readonly hasKeys: boolean }> {
    const { issuer, jwks_uri: jwksUri } = metadataOf(await this.#configured());
    return { issuer, hasKeys: jwksUri !== undefined };
  }

  /**
   * Requests the public keys of the provider, at most every two seconds while that fails.
   * @throws as `prepare`
   */
  requestKeys(): Promise<JsonWebKeySet> {
    return this.#keys.request();
  }

  /**
   * Creates the authorization URL of a login, with PKCE S256 (RFC 7636), state and nonce, unless the options differ.
   * @throws as `prepare`
   */
  async authorizationUrl(
    redirectUri: URL,
    checks: AuthorizationChecks,
    { scopes = this.#settings.scopes, ...differences }: AuthorizationDifferences = {},
  ): Promise<URL> {
    const configuration = await this.#configured();
    const step = isPushed(configuration, this.#settings) ? 'pushed_authorization' : 'authorization';
    const { state, nonce, codeVerifier } = checks;
    const secrets = [state, nonce, codeVerifier].map((secret) => secret.reveal());
    return this.#failures.run({ ...placeOf(step, configuration), secrets }, () =>
      authorizationUrl(configuration, this.#settings, { redirectUri, checks, scopes, ...differences }),
    );
  }

  /**
   * Redeems the code of an authorization response, after the checks of state and `iss` (RFC 9207), and checks the
   * nonce.
   * @param callback the URL to which the provider redirected the browser
   * @param scopes the requested scopes. Default: the configured ones
   * @throws as `prepare`. Tokens that were granted are revoked.
   */
  async exchange(
    callback: URL,
    checks: AuthorizationChecks,
    scopes: readonly string[] = this.#settings.scopes,
  ): Promise<GrantedTokens> {
    const configuration = await this.#configured();
    const { searchParams: answer } = callback;
    const codeVerifier = checks.codeVerifier.reveal();
    const secrets = [
      answer.get('code') ?? '',
      answer.get('state') ?? '',
      codeVerifier,
      checks.nonce.reveal(),
    ];
    await this.#failures.run({ ...placeOf('authorization', configuration), secrets }, async () =>
      assertSuccess(callback.searchParams, metadataOf(configuration), this.#settings.name),
    );
    const requestedAtMs = this.#clock.now();
    const request = {
      expectedState: checks.state.reveal(),
      ...(this.#settings.pkce !== 'off' && { pkceCodeVerifier: codeVerifier }),
    };
    const response = await this.#failures.run({ ...placeOf('token', configuration), secrets }, () =>
      oidc.authorizationCodeGrant(configuration, callback, request, resourceParameters(this.#settings)),
    );
    const { nonce } = checks;
    const login = { requestedAtMs, scopes, nonce, callback: callback.searchParams };
    return this.#identified(configuration, response, login);
  }

  /**
   * Requests a device authorization (RFC 8628).
   * @throws as `prepare`
   */
  async authorizeDevice({
    scopes = this.#settings.scopes,
    claims,
  }: DeviceRequest = {}): Promise<DeviceAuthorization> {
    const configuration = await this.#configured();
    return this.#failures.run(placeOf('device', configuration), () =>
      requestDeviceAuthorization(configuration, { ...this.#settings, scopes }, this.#clock, claims),
    );
  }

  /**
   * Requests the tokens of a device login, once. After the fence was looked at, it ends within
   * {@link MAX_POLL_MS}.
   * @param fence looked at in the tick of sending. Default: the request is sent
   * @throws ProviderError if tokens came that cannot be used, or whose user could not be identified; these are revoked.
   * The device code is used up
   */
  async pollDevice(
    deviceCode: Secret,
    { scopes = this.#settings.scopes, claims }: DeviceRequest = {},
    fence: Fence = () => true,
  ): Promise<DevicePoll> {
    const answer = await this.#deviceAnswer(deviceCode, claims, watchedFence(fence));
    if ('kind' in answer) return answer;
    const { configuration, response, requestedAtMs } = answer;
    const granted = await this.#identified(configuration, response, { requestedAtMs, scopes });
    return { kind: 'granted', granted };
  }

  async #deviceAnswer(
    deviceCode: Secret,
    claims: string | undefined,
    fence: WatchedFence,
  ): Promise<DeviceAnswer> {
    // The endpoint of the code would be the wrong one in the log.
    let place: Omit<FailurePlace, 'provider'> = { step: 'discovery' };
    try {
      const configuration = await this.#connection.configured();
      const secrets = [deviceCode.reveal()];
      place = { step: 'device', endpoint: endpointOf('token', metadataOf(configuration)), secrets };
      const requestedAtMs = this.#clock.now();
      const response = await this.#connection.fenced(fence.look, () =>
        requestDeviceTokens(configuration, this.#settings, deviceCode, claims),
      );
      return { configuration, response, requestedAtMs };
    } catch (cause) {
      if (fence.isTooLate) return { kind: 'not_sent' };
      const error = this.#failures.errorOf(cause, place);
      if (tokenAnswerIn(error)?.outcome === 'lost') throw this.#failures.report(error);
      const poll = devicePollOf(error);
      if ('failure' in poll) this.#failures.report(error);
      return poll;
    }
  }

  /** Adds the identity of the user to the tokens. @throws as `exchange`; the tokens are revoked then */
  async #identified(
    configuration: oidc.Configuration,
    response: oidc.TokenEndpointResponse,
    { requestedAtMs, scopes: requestedScopes, nonce, callback }: LoginRequest,
  ): Promise<GrantedTokens> {
    const settings = this.#settings;
    const isIdTokenRequested = requestedScopes.includes('openid');
    const comparesNonce = nonce !== undefined && settings.nonce === 'required';
    const expectedNonce = comparesNonce
      ? { value: nonce.reveal(), isRequired: isIdTokenRequested }
      : undefined;
    const granted = grantedIn(response, settings, { requestedAtMs, scopes: requestedScopes, callback });
    const { access_token: accessToken, refresh_token: refreshToken = '' } = response;
    const secrets = [accessToken, refreshToken];
    const place = { ...placeOf('user_info', configuration), secrets };
    const answer = {
      idToken: checkedIdToken(response, settings, configuration, { nonce: expectedNonce }),
      body: response[RAW_ANSWER],
      endpoint: placeOf('token', configuration).endpoint,
      isIdTokenRequested,
      // Without PKCE, only the nonce in the ID token binds the code to this login.
      isUserInfoEnough: place.endpoint !== undefined && (!callback || settings.pkce !== 'off'),
    };
    const requestUserInfo = (subject: string | undefined) =>
      this.#failures.run(place, () => userInfo(configuration, accessToken, settings, subject));
    try {
      const user = await this.#failures.run({ ...placeOf('token', configuration), secrets }, () =>
        identify(settings, answer, requestUserInfo),
      );
      // Without `scope` in the response, the requested scopes were granted (RFC 6749 section 5.1).
      const scopes =
        granted.scopes ?? scopesInCallback(callback, settings, requestedScopes) ?? requestedScopes;
      return { ...granted, scopes, requestedScopes, ...user };
    } catch (error) {
      void this.discard(granted.tokens);
      throw error;
    }
  }

  /**
   * Exchanges a refresh token for new tokens (RFC 6749 section 6), once. Never rejects and never aborts the request:
   * 30 seconds after `beforeSend` the outcome is `lost`, and `late` resolves to the tokens of a later response.
   * @param beforeSend called when the metadata is there. Default: the request is sent
   */
  async refresh(refreshToken: Secret, beforeSend: BeforeSend = sendAlways): Promise<RefreshOutcome> {
    const outcome = await this.#refreshInTime(refreshToken, beforeSend);
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

  /** Revokes tokens that no account has, if that leaves the other logins of the user alone. As `revoke` otherwise. */
  async revokeUnused(tokens: TokenSet): Promise<Revocation> {
    return this.#revocation.revokeUnused(tokens);
  }

  /** Revokes and wipes tokens that are not used. Never rejects. */
  async discard(tokens: TokenSet): Promise<void> {
    await this.revokeUnused(tokens);
    wipeTokenSet(tokens);
  }

  async #refreshInTime(refreshToken: Secret, beforeSend: BeforeSend): Promise<RefreshOutcome> {
    const prepared = await this.#inTime<oidc.Configuration | RefreshOutcome>(
      this.#prepareRefresh(),
      (failure) => ({
        kind: 'unavailable',
        retryAfterSeconds: undefined,
        cause: new ProviderError({ ...failure, step: 'discovery', outcome: 'unavailable' }),
      }),
    );
    if ('kind' in prepared) return prepared;
    const fence = await beforeSend();
    if (!fence) return UNWANTED;
    const answering = this.#sendRefresh(prepared, refreshToken, fence);
    const late = answering.then((outcome) =>
      outcome.kind === 'granted' ? outcome.granted.tokens : undefined,
    );
    return this.#inTime<RefreshOutcome>(answering, (failure) => ({
      kind: 'lost',
      cause: new ProviderError({ ...failure, step: 'refresh', outcome: 'lost' }),
      late,
    }));
  }

  /** The metadata of the provider, or the outcome of a refresh without it. */
  async #prepareRefresh(): Promise<oidc.Configuration | RefreshOutcome> {
    try {
      return await this.#connection.configured();
    } catch (error) {
      return failedRefresh(this.#failures.errorOf(error, { step: 'discovery' }), false);
    }
  }

  async #sendRefresh(
    configuration: oidc.Configuration,
    refreshToken: Secret,
    fence: Fence,
  ): Promise<RefreshOutcome> {
    const settings = this.#settings;
    const requestedAtMs = this.#clock.now();
    const sent = refreshToken.reveal();
    const watched = watchedFence(fence);
    try {
      const response = await this.#connection.fenced(watched.look, () =>
        oidc.refreshTokenGrant(configuration, sent, resourceParameters(settings)),
      );
      const idToken = checkedIdToken(response, settings, configuration, { isRefresh: true });
      const request = { requestedAtMs, scopes: settings.scopes, isRefresh: true };
      const granted = refreshedIn(grantedIn(response, settings, request), idToken, settings);
      return { kind: 'granted', granted };
    } catch (error) {
      if (watched.isTooLate) return UNWANTED;
      const place = { ...placeOf('refresh', configuration), secrets: [sent] };
      return failedRefresh(this.#failures.errorOf(error, place), true);
    }
  }

  /** The result, or what is instead of it after 30 seconds. The result must not reject. */
  #inTime<T>(
    result: Promise<T>,
    instead: (failure: { readonly provider: string; readonly reason: 'timeout' }) => T,
  ): Promise<T> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(REFRESH_TIMEOUT_MS, () =>
        resolve(instead({ provider: this.#settings.name, reason: 'timeout' })),
      );
      void result.then((value) => {
        cancel();
        resolve(value);
      });
    });
  }

  #configured(): Promise<oidc.Configuration> {
    return this.#failures.run({ step: 'discovery' }, () => this.#connection.configured());
  }
}
