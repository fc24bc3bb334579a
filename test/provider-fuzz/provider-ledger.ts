import { AsyncLocalStorage } from 'node:async_hooks';
import { z } from 'zod';
import type { FaultingProvider, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { JWKS, JWKS_ADDRESS } from './logout-tokens.js';

/** The newest tokens of one login that have reached the server. */
export interface Delivered {
  readonly refreshToken: string | undefined;
  readonly accessEndsAtMs: number;
  /** Whether the answer says when its access token expires. */
  readonly isExpiryKnown: boolean;
}

/** What a login was asked for, and whom its ID token names. */
interface Origin {
  readonly requestedScopes: ReadonlySet<string>;
  /** The provider's answer, which may grant more (RFC 6749 section 5.1). */
  readonly answer: string;
  readonly sub: string | undefined;
  readonly sid: string | undefined;
}

/** One login, as the provider knows it. */
export class DeliveredLogin {
  readonly #provider: FaultingProvider;
  readonly #clock: VirtualClock;
  readonly origin: Origin;
  newest: Delivered;
  /** Whether its session or its user has ended it, after which the server sends no refresh. */
  isEnded = false;
  /** How often its refresh tokens were sent. */
  sends = 0;
  /** Whether the answer to a refresh was lost, after which the server cannot know what became of the token. */
  hasLostAnswer = false;
  #deadSinceMs: number | undefined;

  constructor(provider: FaultingProvider, clock: VirtualClock, newest: Delivered, origin: Origin) {
    this.#provider = provider;
    this.#clock = clock;
    this.newest = newest;
    this.origin = origin;
  }

  /** Whether the login requested a scope, or its answer granted it. A refresh grants no others. */
  hasScope(scope: string): boolean {
    return this.origin.requestedScopes.has(scope) || this.origin.answer.includes(scope);
  }

  /** Whether a refresh with the newest refresh token would succeed. */
  get isAlive(): boolean {
    const { refreshToken } = this.newest;
    const isAlive = refreshToken !== undefined && this.#provider.canRefresh(refreshToken);
    if (!isAlive) this.#deadSinceMs ??= this.#clock.now();
    return isAlive;
  }

  /** Whether no token of the login has been of use for more than a second. */
  get isOver(): boolean {
    if (this.isAlive || !this.newest.isExpiryKnown) return false;
    const uselessSinceMs = Math.max(this.#deadSinceMs ?? 0, this.newest.accessEndsAtMs);
    return this.#clock.now() > uselessSinceMs + 1000;
  }
}

const SECRET_PARAMETERS = ['code', 'code_verifier', 'refresh_token', 'state', 'nonce', 'client_assertion'];
const ACCESS_TOKEN = /access\.[\w-]+\.[\w-]+/;
const REFRESH_TOKEN = /refresh\.[\w-]+\.[\w-]+/;
const ID_TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]*/;

/** An access token without a refresh token is used until an API refuses it, unless its answer has a lifetime: not 0. */
const LIFETIME = /\bexpires_in"?[:=]"?(?!0+(\.0*)?["&,}]|0+$)\d/;

const sidOfRequest = new AsyncLocalStorage<string>();

/** The claims of a user in ID tokens and user info, with the session at the provider (`sid`) of the login. */
export const identityOf = (user: string): Readonly<Record<string, unknown>> => ({
  sub: user,
  name: user,
  sid: sidOfRequest.getStore(),
});

/** The expected state, recorded independently of the library from what passes between the server and the provider. */
export class ProviderLedger {
  readonly #provider: FaultingProvider;
  readonly #clock: VirtualClock;
  readonly #byRefreshToken = new Map<string, DeliveredLogin>();
  readonly #redeemedDeviceCodes = new Set<string>();
  /** Whether a device code was sent again after its tokens had come. */
  hasRepeatedDeviceCode = false;
  /** Every code, token and key that was sent. */
  readonly secrets = new Set<string>();
  /** How often each refresh token was sent after a request that has consumed it. */
  readonly #repetitions = new Map<string, number>();
  readonly #consumed = new Set<string>();
  /** The most often that one consumed refresh token was sent again. */
  maxRepetitions = 0;
  /** The requests without a response yet. */
  underWay = 0;
  logins = 0;
  refreshes = 0;
  /** Whether a login by a code has succeeded, so another one has to. */
  hasLoggedInByCode = false;
  /** The refreshes that brought no tokens. */
  failedRefreshes = 0;
  /** A refresh of a login that was over. */
  refreshedAfterItsEnd = false;
  #requestedScopes: ReadonlySet<string> = new Set();
  /** The login whose tokens were delivered last. */
  latest: DeliveredLogin | undefined;

  constructor(provider: FaultingProvider, clock: VirtualClock) {
    this.#provider = provider;
    this.#clock = clock;
    const respond = provider.authorizationResponse.bind(provider);
    provider.authorizationResponse = (url, user) => {
      this.#keepSecrets(new URL(url).searchParams);
      this.#keepScopes(new URL(url).searchParams);
      const response = respond(url, user);
      this.#keepSecrets(response.callback.searchParams);
      return response;
    };
  }

  /** Passes requests on to the provider. */
  readonly fetch: typeof fetch = async (input, init) => {
    const { body } = init ?? {};
    const form = new URLSearchParams(
      typeof body === 'string' || body instanceof URLSearchParams ? body : undefined,
    );
    this.#keepSecrets(form);
    this.#keepScopes(form);
    if (String(input) === JWKS_ADDRESS) return Response.json(JWKS);
    this.underWay++;
    const presented = form.get('refresh_token') ?? '';
    const wasGood = this.#provider.canRefresh(presented);
    const refreshed = this.#byRefreshToken.get(presented);
    if (refreshed?.isEnded) this.refreshedAfterItsEnd = true;
    if (refreshed) refreshed.sends++;
    const deviceCode = form.get('device_code') ?? '';
    if (this.#redeemedDeviceCodes.has(deviceCode)) this.hasRepeatedDeviceCode = true;
    let isDelivered = false;
    try {
      const sid = refreshed ? (refreshed.origin.sid ?? '') : `sid-${this.logins}`;
      const response = await sidOfRequest.run(sid, () => this.#respond(input, init));
      const answer = await response.clone().text();
      if (response.status < 429 && !answer.startsWith('<')) this.#countRepetition(presented);
      isDelivered = response.ok && this.#deliver(form, answer);
      if (isDelivered && deviceCode !== '') this.#redeemedDeviceCodes.add(deviceCode);
      return response;
    } catch (error) {
      if (isLost(error)) {
        this.#countRepetition(presented);
        const login = this.#byRefreshToken.get(presented);
        if (login) login.hasLostAnswer = true;
      }
      throw error;
    } finally {
      if (presented !== '' && !isDelivered) this.failedRefreshes++;
      if (wasGood && !this.#provider.canRefresh(presented)) this.#consumed.add(presented);
      this.underWay--;
    }
  };

  async #respond(...request: Parameters<typeof fetch>): Promise<Response> {
    const { requests } = this.#provider;
    const discoveries = requests.discovery;
    const response = await this.#provider.fetch(...request);
    const isMetadata =
      requests.discovery > discoveries && response.headers.get('content-type') === 'application/json';
    if (!isMetadata || !response.ok) return response;
    return Response.json({ ...(await response.json()), jwks_uri: JWKS_ADDRESS });
  }

  /** The scopes of an authorization request, of a pushed one (RFC 9126), or of a device (RFC 8628). */
  #keepScopes(parameters: URLSearchParams): void {
    if (parameters.has('grant_type')) return;
    const scopes = parameters.get('scope') ?? parameters.get('user_scope');
    if (scopes) this.#requestedScopes = new Set(scopes.split(/[ ,]/));
  }

  #keepSecrets(parameters: URLSearchParams): void {
    for (const name of SECRET_PARAMETERS) {
      const value = parameters.get(name);
      if (value) this.secrets.add(value);
    }
  }

  /** Counts a request that the provider has not turned away. */
  #countRepetition(refreshToken: string): void {
    if (!this.#consumed.has(refreshToken)) return;
    const times = (this.#repetitions.get(refreshToken) ?? 0) + 1;
    this.#repetitions.set(refreshToken, times);
    this.maxRepetitions = Math.max(this.maxRepetitions, times);
  }

  #deliver(form: URLSearchParams, answer: string): boolean {
    const accessToken = ACCESS_TOKEN.exec(answer)?.[0];
    const refreshToken = REFRESH_TOKEN.exec(answer)?.[0];
    const idToken = ID_TOKEN.exec(answer)?.[0];
    for (const secret of [accessToken, refreshToken, idToken]) if (secret) this.secrets.add(secret);
    if (!accessToken) return false;
    const { accessTokenSeconds = 0 } = this.#provider;
    const newest: Delivered = {
      refreshToken,
      accessEndsAtMs: this.#clock.now() + accessTokenSeconds * 1000,
      isExpiryKnown: refreshToken !== undefined || LIFETIME.test(answer),
    };
    const login = this.#byRefreshToken.get(form.get('refresh_token') ?? '');
    if (login) {
      this.refreshes++;
      login.newest = newest;
    } else {
      this.logins++;
      const origin = { requestedScopes: this.#requestedScopes, answer, ...named(idToken) };
      this.latest = new DeliveredLogin(this.#provider, this.#clock, newest, origin);
    }
    const owner = login ?? this.latest;
    if (refreshToken && owner) this.#byRefreshToken.set(refreshToken, owner);
    return true;
  }
}

function isLost(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: string } };
  return cause?.code === 'ECONNRESET';
}

const claimsSchema = z.object({ sub: z.string(), sid: z.string().optional() });

/** Whom an ID token names that can be read. */
function named(idToken: string | undefined): Pick<Origin, 'sub' | 'sid'> {
  try {
    const [, payload = ''] = (idToken ?? '').split('.');
    const { sub, sid } = claimsSchema.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    return { sub, sid };
  } catch {
    return { sub: undefined, sid: undefined };
  }
}
