import type { FaultingProvider, VirtualClock } from '../../packages/sessions/src/testing/index.js';

/** The newest tokens of one login that have reached the server. */
export interface Delivered {
  readonly refreshToken: string | undefined;
  readonly accessEndsAtMs: number;
  /** Whether the answer says when its access token expires. */
  readonly isExpiryKnown: boolean;
}

/** One login, as the provider knows it. */
export class DeliveredLogin {
  readonly #provider: FaultingProvider;
  readonly #clock: VirtualClock;
  newest: Delivered;
  /** Whether the answer to a refresh was lost, after which the server cannot know what became of the token. */
  hasLostAnswer = false;
  #deadSinceMs: number | undefined;

  constructor(provider: FaultingProvider, clock: VirtualClock, newest: Delivered) {
    this.#provider = provider;
    this.#clock = clock;
    this.newest = newest;
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

/** The expected state, recorded independently of the library from what passes between the server and the provider. */
export class ProviderLedger {
  readonly #provider: FaultingProvider;
  readonly #clock: VirtualClock;
  readonly #byRefreshToken = new Map<string, DeliveredLogin>();
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
  /** The login whose tokens were delivered last. */
  latest: DeliveredLogin | undefined;

  constructor(provider: FaultingProvider, clock: VirtualClock) {
    this.#provider = provider;
    this.#clock = clock;
    const respond = provider.authorizationResponse.bind(provider);
    provider.authorizationResponse = (url, user) => {
      this.#keepSecrets(new URL(url).searchParams);
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
    this.underWay++;
    const presented = form.get('refresh_token') ?? '';
    const wasGood = this.#provider.canRefresh(presented);
    try {
      const response = await this.#provider.fetch(input, init);
      const answer = await response.clone().text();
      if (response.status < 429 && !answer.startsWith('<')) this.#countRepetition(presented);
      this.#deliver(form, answer);
      return response;
    } catch (error) {
      if (isLost(error)) {
        this.#countRepetition(presented);
        const login = this.#byRefreshToken.get(presented);
        if (login) login.hasLostAnswer = true;
      }
      throw error;
    } finally {
      if (wasGood && !this.#provider.canRefresh(presented)) this.#consumed.add(presented);
      this.underWay--;
    }
  };

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

  #deliver(form: URLSearchParams, answer: string): void {
    const accessToken = ACCESS_TOKEN.exec(answer)?.[0];
    const refreshToken = REFRESH_TOKEN.exec(answer)?.[0];
    for (const secret of [accessToken, refreshToken, ID_TOKEN.exec(answer)?.[0]])
      if (secret) this.secrets.add(secret);
    if (!accessToken) return;
    const { accessTokenSeconds = 0 } = this.#provider;
    const newest: Delivered = {
      refreshToken,
      accessEndsAtMs: this.#clock.now() + accessTokenSeconds * 1000,
      isExpiryKnown: refreshToken !== undefined || /\bexpires_in\b/.test(answer),
    };
    const login = this.#byRefreshToken.get(form.get('refresh_token') ?? '');
    if (login) {
      this.refreshes++;
      login.newest = newest;
    } else {
      this.logins++;
      this.latest = new DeliveredLogin(this.#provider, this.#clock, newest);
    }
    const owner = login ?? this.latest;
    if (refreshToken && owner) this.#byRefreshToken.set(refreshToken, owner);
  }
}

function isLost(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: string } };
  return cause?.code === 'ECONNRESET';
}
