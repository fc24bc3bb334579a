import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { z } from 'zod';
import { parseOptions } from '../parse-options.js';
import type { ProviderEndpoints } from '../provider/option-types.js';
import type { ProviderOptions } from '../provider/provider-options.js';
import {
  connectionError,
  type ProviderEndpoint,
  type ProviderFault,
  ProviderFaults,
} from './provider-faults.js';
import { type Grant, ProviderGrants } from './provider-grants.js';

/** How a {@link FaultingProvider} differs from the default. */
export interface FaultingProviderOptions {
  /** Default: `provider`. */
  readonly name?: string;
  /** Default: `https://provider.test`. */
  readonly issuer?: string;
  /** The endpoints of a provider without discovery, such as GitHub's. Default: discovered below the issuer. */
  readonly endpoints?: ProviderEndpoints;
  /** Whether token responses contain an ID token, signed with RS256. Default: false. */
  readonly idTokens?: boolean;
  /** The claims about a user in ID tokens and user info. Default: `sub` and `name` are the user. */
  readonly identity?: (user: string) => Readonly<Record<string, unknown>>;
  /** The origins of the provider's API. Default: `https://api.test`. */
  readonly apiOrigins?: readonly string[];
  /**
   * Answers requests to the API.
   * @param user whose access token the request has; `undefined` without a valid one. Default: responds 404.
   */
  readonly api?: (request: Request, user: string | undefined) => Response | Promise<Response>;
  /** Handles requests to other origins, such as the `fetch` of a second provider. Default: refuses connections. */
  readonly fetch?: typeof fetch;
}

/** The server under test checks the values. */
const value = z.unknown().optional();
const optionsSchema = z.strictObject({
  name: value,
  issuer: value,
  endpoints: value,
  idTokens: value,
  identity: value,
  apiOrigins: value,
  api: value,
  fetch: value,
} satisfies Record<keyof FaultingProviderOptions, z.ZodType>);

/**
 * An OAuth 2.1 authorization server without a network, whose `fetch` is passed to the server under test. It verifies
 * PKCE, rotates refresh tokens, ends a grant whose refresh token is used twice, and fails on command. It does not
 * authenticate clients.
 *
 * ```ts
 * const provider = new FaultingProvider();
 * const sessions = createSessions({ …, providers: provider.options, runtime: { fetch: provider.fetch } });
 * ```
 */
export class FaultingProvider {
  readonly #given: FaultingProviderOptions;
  readonly #issuer: string;
  readonly #endpoints: ProviderEndpoints;
  readonly #apiOrigins: readonly string[];
  readonly #addresses: ReadonlyMap<string, ProviderEndpoint>;
  readonly #grants = new ProviderGrants();
  readonly #faults = new ProviderFaults();
  /** The lifetime of access tokens that are issued from now on; `undefined`: token responses have no `expires_in`. */
  accessTokenSeconds: number | undefined = 600;
  /** The polling interval of the device flow; `undefined`: responses have no `interval`. */
  pollSeconds: number | undefined = 5;
  /** The lifetime of device codes that are issued from now on. */
  userCodeSeconds = 600;
  /** How many requests each endpoint received. */
  readonly requests: Record<ProviderEndpoint, number> = {
    discovery: 0,
    token: 0,
    userinfo: 0,
    revocation: 0,
    device: 0,
  };

  constructor(options: FaultingProviderOptions = {}) {
    parseOptions(optionsSchema, options, 'The options of the FaultingProvider are invalid');
    const { issuer = 'https://provider.test', apiOrigins = ['https://api.test'] } = options;
    this.#given = options;
    this.#issuer = issuer;
    this.#apiOrigins = apiOrigins;
    this.#endpoints = options.endpoints ?? endpointsBelow(issuer.replace(/\/$/, ''));
    this.#addresses = addressesOf(this.#endpoints, options.endpoints ? undefined : issuer);
  }

  /** Options for the server under test. */
  get options(): ProviderOptions {
    const { name = 'provider', endpoints, idTokens = false } = this.#given;
    return {
      name,
      issuer: this.#issuer,
      clientId: 'test',
      scopes: idTokens ? ['openid', 'profile'] : ['profile'],
      apiOrigins: this.#apiOrigins,
      ...(endpoints && { endpoints, pkce: 'S256' }),
    };
  }

  /** How many refresh tokens were used twice. */
  get reuses(): number {
    return this.#grants.reuses;
  }

  /** Makes the next request to an endpoint fail. Several calls queue up. */
  failNext(endpoint: ProviderEndpoint, fault: ProviderFault): void {
    this.#faults.addNext(endpoint, fault);
  }

  /** Makes every request to an endpoint fail until {@link mend}, after the faults of {@link failNext}. */
  failUntilMended(endpoint: ProviderEndpoint, fault: ProviderFault): void {
    this.#faults.setLasting(endpoint, fault);
  }

  /** Removes all faults. */
  mend(): void {
    this.#faults.clear();
  }

  /**
   * Logs a user in, as the provider's login page does.
   * @param authorizationUrl where the server under test sends the browser
   * @returns where the provider sends the browser
   * @throws Error if the URL is not one of this provider's authorization endpoint
   */
  authorize(authorizationUrl: string | URL, user: string): URL {
    const { origin, pathname, searchParams } = new URL(authorizationUrl);
    if (`${origin}${pathname}` !== addressOf(this.#endpoints.authorization)) {
      throw new Error(`${origin}${pathname} is not the authorization endpoint of ${this.#issuer}.`);
    }
    const callback = new URL(searchParams.get('redirect_uri') ?? '');
    const code = this.#grants.authorize(user, {
      clientId: searchParams.get('client_id') ?? '',
      codeChallenge: searchParams.get('code_challenge') ?? '',
      nonce: searchParams.get('nonce') ?? undefined,
    });
    callback.searchParams.set('code', code);
    callback.searchParams.set('state', searchParams.get('state') ?? '');
    return callback;
  }

  /** Approves a login of the device flow (RFC 8628). @throws Error if the user code is unknown */
  approve(userCode: string, user: string): void {
    this.#grants.decide(userCode, { user });
  }

  /** Denies a login of the device flow. @throws Error if the user code is unknown */
  deny(userCode: string): void {
    this.#grants.decide(userCode, 'denied');
  }

  /** Makes a user code expire. @throws Error if the user code is unknown */
  expire(userCode: string): void {
    this.#grants.decide(userCode, 'expired');
  }

  /** Ends all grants of a user, as if the user withdrew them at the provider. @throws Error if there are none */
  endGrant(user: string): void {
    this.#grants.end(user);
  }

  /** The user of an access token; `undefined` if the token is not valid. */
  userOf(accessToken: string): string | undefined {
    return this.#grants.userOf(accessToken);
  }

  /** The users whose grants are active, once for each grant. */
  livingUsers(): string[] {
    return this.#grants.activeUsers;
  }

  /** Handles requests to the provider and its API, and passes others to the `fetch` of the options. */
  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const endpoint = this.#addresses.get(addressOf(url));
    if (endpoint) {
      this.requests[endpoint]++;
      const request = new Request(input, init);
      return this.#faults.apply(endpoint, () => this.#respond(endpoint, request), init?.signal);
    }
    const { api, fetch } = this.#given;
    if (this.#apiOrigins.includes(url.origin)) {
      const request = new Request(input, init);
      return api?.(request, this.userOf(bearerToken(request))) ?? new Response(null, { status: 404 });
    }
    if (fetch) return fetch(input, init);
    throw connectionError('ECONNREFUSED');
  };

  async #respond(endpoint: ProviderEndpoint, request: Request): Promise<Response> {
    if (endpoint === 'discovery') return Response.json(metadataOf(this.#issuer, this.#endpoints));
    if (endpoint === 'userinfo') {
      const user = this.userOf(bearerToken(request));
      return user === undefined ? new Response(null, { status: 401 }) : Response.json(this.#claimsOf(user));
    }
    const form = new URLSearchParams(await request.text());
    if (endpoint === 'device') return this.#authorizeDevice(form);
    if (endpoint === 'token') return this.#issue(form);
    this.#grants.revoke(form.get('token') ?? '');
    return new Response(null, { status: 200 });
  }

  #authorizeDevice(form: URLSearchParams): Response {
    const userCode = `CODE-${this.requests.device}`;
    const deviceCode = this.#grants.authorizeDevice(userCode, form.get('client_id') ?? '');
    return Response.json({
      device_code: deviceCode,
      user_code: userCode,
      verification_uri: new URL('/device', this.#endpoints.authorization).href,
      expires_in: this.userCodeSeconds,
      ...(this.pollSeconds !== undefined && { interval: this.pollSeconds }),
    });
  }

  #issue(form: URLSearchParams): Response {
    const grant = this.#grants.issue(form);
    if (typeof grant === 'string') return Response.json({ error: grant }, { status: 400 });
    return Response.json({
      access_token: grant.accessToken,
      refresh_token: grant.refreshToken,
      token_type: 'Bearer',
      ...(this.accessTokenSeconds !== undefined && { expires_in: this.accessTokenSeconds }),
      ...(this.#given.idTokens && { id_token: this.#idToken(grant) }),
    });
  }

  #claimsOf(user: string): Readonly<Record<string, unknown>> {
    return this.#given.identity?.(user) ?? { sub: user, name: user };
  }

  #idToken({ user, clientId, nonce }: Grant): string {
    const now = Math.floor(Date.now() / 1000);
    return signedJwt({
      iss: this.#issuer,
      aud: clientId,
      iat: now,
      exp: now + 300,
      ...(nonce !== undefined && { nonce }),
      ...this.#claimsOf(user),
    });
  }
}

function endpointsBelow(base: string): ProviderEndpoints {
  return {
    authorization: `${base}/authorize`,
    token: `${base}/token`,
    userInfo: `${base}/userinfo`,
    revocation: `${base}/revocation`,
    deviceAuthorization: `${base}/device_authorization`,
  };
}

/** @param discovered the issuer, if its metadata is discovered (OpenID Connect Discovery, RFC 8414) */
function addressesOf(
  endpoints: ProviderEndpoints,
  discovered: string | undefined,
): ReadonlyMap<string, ProviderEndpoint> {
  const addresses = new Map<string, ProviderEndpoint>();
  const add = (url: string | undefined, endpoint: ProviderEndpoint) => {
    if (url !== undefined) addresses.set(addressOf(url), endpoint);
  };
  add(endpoints.token, 'token');
  add(endpoints.userInfo, 'userinfo');
  add(endpoints.revocation, 'revocation');
  add(endpoints.deviceAuthorization, 'device');
  if (discovered !== undefined) {
    const { origin, pathname } = new URL(discovered);
    const path = pathname.replace(/\/$/, '');
    add(`${origin}${path}/.well-known/openid-configuration`, 'discovery');
    add(`${origin}/.well-known/oauth-authorization-server${path}`, 'discovery');
  }
  return addresses;
}

function addressOf(url: string | URL): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

function metadataOf(issuer: string, endpoints: ProviderEndpoints): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: endpoints.authorization,
    token_endpoint: endpoints.token,
    userinfo_endpoint: endpoints.userInfo,
    revocation_endpoint: endpoints.revocation,
    device_authorization_endpoint: endpoints.deviceAuthorization,
    code_challenge_methods_supported: ['S256'],
    id_token_signing_alg_values_supported: ['RS256'],
  };
}

function bearerToken(request: Request): string {
  return request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '';
}

let signingKey: KeyObject | undefined;

function signedJwt(claims: object): string {
  signingKey ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), signingKey).toString('base64url')}`;
}
