import { createHash } from 'node:crypto';
import type { ProviderOptions } from '../provider/provider-options.js';
import { randomToken, systemRandom } from '../vault/random.js';

/** Where a provider is asked. */
export type ProviderEndpoint = 'discovery' | 'token' | 'userinfo' | 'revocation' | 'device';

/**
 * How a request goes wrong.
 *
 * - `refused`: nobody listens; nothing was done.
 * - `lost`: the request was carried out, and the connection broke before the answer.
 * - a status: answered with it, and nothing was done.
 * - a function: the request was carried out, and this makes of its answer what arrives, whenever it likes.
 */
export type ProviderFault =
  | 'refused'
  | 'lost'
  | {
      readonly status: number;
      readonly retryAfterSeconds?: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | ((answer: Response) => Response | Promise<Response>);

interface Grant {
  readonly user: string;
  readonly challenge?: string;
  isAlive: boolean;
  accessToken: string;
  refreshToken: string;
}

/** What a user has made of a code; `undefined` as long as they have made nothing of it. */
interface DeviceCode {
  readonly userCode: string;
  decision: { readonly user: string } | 'denied' | 'expired' | undefined;
}

const ISSUER = 'https://provider.test';

/**
 * An OAuth 2.1 authorization server without a network: give its `fetch` to a server under test. It checks
 * PKCE, rotates refresh tokens, ends a grant whose refresh token is used twice, and fails when told to.
 *
 * ```ts
 * const provider = new FaultingProvider();
 * const sessions = createSessions({ …, provider: provider.options, runtime: { fetch: provider.fetch } });
 * ```
 */
export class FaultingProvider {
  readonly #grants: Grant[] = [];
  readonly #codes = new Map<string, Grant>();
  readonly #devices = new Map<string, DeviceCode>();
  readonly #faults: { readonly endpoint: ProviderEndpoint; readonly fault: ProviderFault }[] = [];
  readonly #standing = new Map<ProviderEndpoint, ProviderFault>();
  readonly #api: typeof fetch;
  /** The lifetime of the access tokens issued from now on; `undefined`: it does not say. */
  accessTokenSeconds: number | undefined = 600;
  /** How often it wants to be polled in the device flow; `undefined`: it does not say. */
  pollSeconds: number | undefined = 5;
  /** The lifetime of the codes that it gives out in the device flow from now on. */
  userCodeSeconds = 600;
  /** How many requests each endpoint got. */
  readonly requests: Record<ProviderEndpoint, number> = {
    discovery: 0,
    token: 0,
    userinfo: 0,
    revocation: 0,
    device: 0,
  };
  /** How many refresh tokens were used twice. */
  reuses = 0;

  /** @param api answers requests to other addresses. Default: 404. */
  constructor(api: typeof fetch = async () => new Response(null, { status: 404 })) {
    this.#api = api;
  }

  /** What a server under test is configured with. Its API origin is `https://api.test`. */
  get options(): ProviderOptions {
    return {
      name: 'provider',
      issuer: ISSUER,
      clientId: 'test',
      scopes: ['profile'],
      apiOrigins: ['https://api.test'],
    };
  }

  /** Makes the next request to an endpoint go wrong; several of them queue up. */
  failNext(endpoint: ProviderEndpoint, fault: ProviderFault): void {
    this.#faults.push({ endpoint, fault });
  }

  /** Makes every request to an endpoint go wrong, after those that {@link failNext} planned, until {@link mend}. */
  failUntilMended(endpoint: ProviderEndpoint, fault: ProviderFault): void {
    this.#standing.set(endpoint, fault);
  }

  /** From now on everything works again. */
  mend(): void {
    this.#standing.clear();
    this.#faults.length = 0;
  }

  /** Logs a user in at the address that a server sent the browser to. @returns where the browser goes next. */
  authorize(authorizationUrl: string | URL, user: string): URL {
    const { searchParams } = new URL(authorizationUrl);
    const code = randomToken(systemRandom);
    const challenge = searchParams.get('code_challenge') ?? '';
    this.#codes.set(code, { user, challenge, isAlive: true, accessToken: '', refreshToken: '' });
    const callback = new URL(searchParams.get('redirect_uri') ?? '');
    callback.searchParams.set('code', code);
    callback.searchParams.set('state', searchParams.get('state') ?? '');
    return callback;
  }

  /** Approves a login by the code that its user was given (RFC 8628). */
  approve(userCode: string, user: string): void {
    this.#device(userCode).decision = { user };
  }

  /** Denies it. */
  deny(userCode: string): void {
    this.#device(userCode).decision = 'denied';
  }

  /** Forgets the code, as if its time were up. */
  expire(userCode: string): void {
    this.#device(userCode).decision = 'expired';
  }

  /** Whom an access token speaks for; `undefined` if it is not, or no longer, good. */
  userOf(accessToken: string): string | undefined {
    return this.#grants.find((grant) => grant.isAlive && grant.accessToken === accessToken)?.user;
  }

  /** Whose tokens are good. */
  livingUsers(): string[] {
    return this.#grants.filter(({ isAlive }) => isAlive).map(({ user }) => user);
  }

  /** Calls the provider, or the API. */
  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    if (url.origin !== ISSUER) return this.#api(input, init);
    const endpoint = endpointOf(url.pathname);
    this.requests[endpoint]++;
    const fault = this.#takeFault(endpoint);
    if (fault === 'refused') throw connectionError('ECONNREFUSED');
    if (typeof fault === 'object') return failure(fault);
    const response = await this.#answer(endpoint, request);
    if (fault === 'lost') throw connectionError('ECONNRESET');
    return fault ? unlessAborted(init?.signal, fault(response)) : response;
  };

  #takeFault(endpoint: ProviderEndpoint): ProviderFault | undefined {
    const index = this.#faults.findIndex((planned) => planned.endpoint === endpoint);
    return index === -1 ? this.#standing.get(endpoint) : this.#faults.splice(index, 1)[0]?.fault;
  }

  async #answer(endpoint: ProviderEndpoint, request: Request): Promise<Response> {
    if (endpoint === 'discovery') return Response.json(METADATA);
    if (endpoint === 'userinfo') {
      const user = this.userOf(request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '');
      return user === undefined
        ? new Response(null, { status: 401 })
        : Response.json({ sub: user, name: user });
    }
    if (endpoint === 'device') return this.#giveCode();
    const form = new URLSearchParams(await request.text());
    return endpoint === 'token' ? this.#issue(form) : this.#revoke(form);
  }

  #device(userCode: string): DeviceCode {
    const device = [...this.#devices.values()].find((each) => each.userCode === userCode);
    if (device) return device;
    throw new Error(`There is no code ${userCode}.`);
  }

  #giveCode(): Response {
    const deviceCode = randomToken(systemRandom);
    const userCode = `CODE-${this.requests.device}`;
    this.#devices.set(deviceCode, { userCode, decision: undefined });
    return Response.json({
      device_code: deviceCode,
      user_code: userCode,
      verification_uri: `${ISSUER}/device`,
      expires_in: this.userCodeSeconds,
      ...(this.pollSeconds !== undefined && { interval: this.pollSeconds }),
    });
  }

  #issue(form: URLSearchParams): Response {
    const decision = this.#devices.get(form.get('device_code') ?? '')?.decision;
    if (form.has('device_code') && typeof decision !== 'object') return undecided(decision);
    const grant = form.has('refresh_token') ? this.#refreshed(form) : this.#redeemed(form);
    if (!grant) return Response.json({ error: 'invalid_grant' }, { status: 400 });
    grant.accessToken = `access.${grant.user}.${randomToken(systemRandom)}`;
    grant.refreshToken = `refresh.${grant.user}.${randomToken(systemRandom)}`;
    return Response.json({
      access_token: grant.accessToken,
      refresh_token: grant.refreshToken,
      token_type: 'Bearer',
      ...(this.accessTokenSeconds !== undefined && { expires_in: this.accessTokenSeconds }),
    });
  }

  #redeemed(form: URLSearchParams): Grant | undefined {
    const deviceCode = form.get('device_code');
    if (deviceCode !== null) return this.#approved(deviceCode);
    const code = form.get('code') ?? '';
    const grant = this.#codes.get(code);
    this.#codes.delete(code);
    const verifier = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (!grant || grant.challenge !== verifier) return undefined;
    this.#grants.push(grant);
    return grant;
  }

  #approved(deviceCode: string): Grant | undefined {
    const decision = this.#devices.get(deviceCode)?.decision;
    this.#devices.delete(deviceCode);
    if (typeof decision !== 'object') return undefined;
    const grant: Grant = { user: decision.user, isAlive: true, accessToken: '', refreshToken: '' };
    this.#grants.push(grant);
    return grant;
  }

  #refreshed(form: URLSearchParams): Grant | undefined {
    const presented = form.get('refresh_token') ?? '';
    const user = presented.split('.')[1];
    const current = this.#grants.find((grant) => grant.isAlive && grant.refreshToken === presented);
    if (current) return current;
    const family = this.#grants.find((grant) => grant.isAlive && grant.user === user);
    if (family) {
      this.reuses++;
      family.isAlive = false;
    }
    return undefined;
  }

  #revoke(form: URLSearchParams): Response {
    const token = form.get('token');
    for (const grant of this.#grants) {
      if (grant.accessToken === token || grant.refreshToken === token) grant.isAlive = false;
    }
    return new Response(null, { status: 200 });
  }
}

const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  userinfo_endpoint: `${ISSUER}/userinfo`,
  revocation_endpoint: `${ISSUER}/revocation`,
  device_authorization_endpoint: `${ISSUER}/device_authorization`,
  code_challenge_methods_supported: ['S256'],
};

function endpointOf(path: string): ProviderEndpoint {
  if (path.startsWith('/.well-known/')) return 'discovery';
  return ENDPOINTS[path] ?? 'revocation';
}

const ENDPOINTS: Readonly<Record<string, ProviderEndpoint>> = {
  '/token': 'token',
  '/userinfo': 'userinfo',
  '/device_authorization': 'device',
};

/** RFC 8628 section 3.5. */
function undecided(decision: 'denied' | 'expired' | undefined): Response {
  const errors = { denied: 'access_denied', expired: 'expired_token' };
  const error = decision ? errors[decision] : 'authorization_pending';
  return Response.json({ error }, { status: 400 });
}

function failure(fault: Extract<ProviderFault, { status: number }>): Response {
  const headers = new Headers(fault.headers);
  if (fault.retryAfterSeconds !== undefined) headers.set('retry-after', String(fault.retryAfterSeconds));
  return new Response(fault.body ?? null, { status: fault.status, headers });
}

async function unlessAborted(
  signal: AbortSignal | null | undefined,
  response: Response | Promise<Response>,
): Promise<Response> {
  signal?.throwIfAborted();
  const aborted = new Promise<never>((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  return Promise.race([response, aborted]);
}

function connectionError(code: string): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
}
