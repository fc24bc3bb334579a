import { z } from 'zod';
import { parseOptions } from '../parse-options.js';
import type { ProviderOptions } from '../provider/provider-options.js';
import type { Clock } from '../time/clock.js';
import { hasClientSecret } from './client-credentials.js';
import {
  addressesOf,
  addressOf,
  endpointsBelow,
  metadataAddresses,
  metadataOf,
} from './provider-endpoints.js';
import {
  connectionError,
  type ProviderEndpoint,
  type ProviderFault,
  ProviderFaults,
} from './provider-faults.js';
import { type Grant, ProviderGrants, requestedScopes } from './provider-grants.js';
import { ProviderQuirks } from './provider-quirks.js';
import type { ProviderBehaviour, QuirkFacts, QuirkRequest, TokenRequestKind } from './quirk-hooks.js';
import { QUIRKS, type QuirkName } from './quirks.js';
import { signedJwt } from './signed-jwt.js';

/** How a {@link FaultingProvider} differs from the default. */
export interface FaultingProviderOptions extends ProviderBehaviour {
  /** Default: `provider`. */
  readonly name?: string;
  /** Behaviours of real providers, in the order in which they apply. Default: none. */
  readonly quirks?: readonly QuirkName[];
  /**
   * Whether {@link FaultingProvider.options} leave out what deals with the quirks, for tests of a server that is not
   * configured for them. Default: false.
   */
  readonly withoutSettings?: boolean;
  /** The claims about a user in ID tokens and user info. Default: `sub` and `name` are the user. */
  readonly identity?: (user: string) => Readonly<Record<string, unknown>>;
  /**
   * Answers requests to the API.
   * @param user whose access token the request has; `undefined` without a valid one. Default: responds 404.
   */
  readonly api?: (request: Request, user: string | undefined) => Response | Promise<Response>;
  /** The clock by which access and refresh tokens expire. Default: they do not. */
  readonly clock?: Pick<Clock, 'now'>;
  /** Handles requests to other origins, such as the `fetch` of a second provider. Default: refuses connections. */
  readonly fetch?: typeof fetch;
}

/** The server under test checks the values. */
const value = z.unknown().optional();
const optionsSchema = z.strictObject({
  name: value,
  issuer: value,
  endpoints: value,
  clientSecret: value,
  idTokens: value,
  refreshTokenSeconds: value,
  tokenCharacters: value,
  quirks: z.array(z.enum(Object.keys(QUIRKS) as [QuirkName])).optional(),
  withoutSettings: value,
  identity: value,
  apiOrigins: value,
  api: value,
  clock: value,
  fetch: value,
} satisfies Record<keyof FaultingProviderOptions, z.ZodType>);

const CLIENT_ID = 'test';

/**
 * An OAuth 2.1 authorization server without a network, whose `fetch` is passed to the server under test. It verifies
 * PKCE and the client's secret, rotates refresh tokens, ends a grant whose refresh token is used twice, fails on
 * command, and has the quirks of real providers that its options list.
 *
 * ```ts
 * const provider = new FaultingProvider();
 * const sessions = createSessions({ …, providers: provider.options, runtime: { fetch: provider.fetch } });
 * ```
 */
export class FaultingProvider {
  readonly #given: FaultingProviderOptions;
  readonly #quirks: ProviderQuirks;
  readonly #facts: QuirkFacts;
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
    pushed_authorization: 0,
  };
  #isInMaintenance = false;

  constructor(options: FaultingProviderOptions = {}) {
    parseOptions(optionsSchema, options, 'The options of the FaultingProvider are invalid');
    this.#quirks = new ProviderQuirks(options.quirks ?? []);
    this.#given = { ...this.#quirks.behaviour, ...options };
    const { issuer = 'https://provider.test', apiOrigins = ['https://api.test'] } = this.#given;
    const { endpoints = endpointsBelow(issuer.replace(/\/$/, '')), clientSecret } = this.#given;
    this.#facts = { issuer, endpoints, clientId: CLIENT_ID, clientSecret };
    this.#apiOrigins = apiOrigins;
    this.#addresses = addressesOf(this.#facts, this.#given.endpoints ? undefined : issuer);
  }

  /** Options for the server under test. */
  get options(): ProviderOptions {
    const { name = 'provider', endpoints, idTokens = false, withoutSettings = false } = this.#given;
    const { issuer, clientId, clientSecret } = this.#facts;
    const base: ProviderOptions = {
      name,
      issuer,
      clientId,
      ...(clientSecret !== undefined && { clientSecret }),
      scopes: idTokens ? ['openid', 'profile'] : ['profile'],
      apiOrigins: this.#apiOrigins,
      ...(endpoints && { endpoints, pkce: 'S256' }),
    };
    return this.#quirks.options(base, this.#facts, !withoutSettings);
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

  /** Answers every request as during maintenance, until {@link mend}: 503, unless a quirk has another answer. */
  startMaintenance(): void {
    this.#isInMaintenance = true;
  }

  /** Removes all faults. */
  mend(): void {
    this.#faults.clear();
    this.#isInMaintenance = false;
  }

  /**
   * Logs a user in, as the provider's login page does.
   * @param authorizationUrl where the server under test sends the browser
   * @returns where the provider sends the browser
   * @throws Error if the URL is not one of this provider's authorization endpoint
   */
  authorize(authorizationUrl: string | URL, user: string): URL {
    return this.authorizationResponse(authorizationUrl, user).callback;
  }

  /**
   * Logs a user in as {@link FaultingProvider.authorize} does.
   * @returns where the provider sends the browser, and whether as a form (OAuth 2.0 Form Post Response Mode)
   * @throws Error if the URL is not one of this provider's authorization endpoint
   */
  authorizationResponse(
    authorizationUrl: string | URL,
    user: string,
  ): { readonly callback: URL; readonly isForm: boolean } {
    const { origin, pathname, searchParams } = new URL(authorizationUrl);
    if (`${origin}${pathname}` !== addressOf(this.#facts.endpoints.authorization)) {
      throw new Error(`${origin}${pathname} is not the authorization endpoint of ${this.#facts.issuer}.`);
    }
    const pushed = this.#grants.pushed(searchParams.get('request_uri') ?? '');
    const request = pushed ?? searchParams;
    const callback = new URL(request.get('redirect_uri') ?? '');
    callback.searchParams.set('code', this.#grants.authorize(user, request));
    callback.searchParams.set('state', request.get('state') ?? '');
    // RFC 7636 section 4.4.1.
    if (this.#isPublicClient && !request.has('code_challenge')) {
      callback.searchParams.delete('code');
      callback.searchParams.set('error', 'invalid_request');
      callback.searchParams.set('error_description', 'code challenge required');
    }
    const grant = { user, request, scopes: requestedScopes(request) };
    const authorization = { request, isPushed: pushed !== undefined, callback, grant, facts: this.#facts };
    for (const hook of this.#quirks.hooks('authorization')) hook(authorization);
    return { callback, isForm: request.get('response_mode') === 'form_post' };
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
    return this.#grants.authorizedBy(accessToken, this.#nowMs)?.user;
  }

  /** Whether a refresh with this token would succeed: it is the latest of an active grant, and has not expired. */
  canRefresh(refreshToken: string): boolean {
    return this.#grants.canRefresh(refreshToken, this.#nowMs);
  }

  /** The users whose grants are active, once for each grant. */
  livingUsers(): string[] {
    return this.#grants.activeUsers;
  }

  /** Handles requests to the provider and its API, and passes others to the `fetch` of the options. */
  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const endpoint = this.#addresses.get(addressOf(url));
    const isLoginPage = addressOf(url) === addressOf(this.#facts.endpoints.authorization);
    if (endpoint || isLoginPage) {
      if (endpoint) this.requests[endpoint]++;
      const request = new Request(input, init);
      for (const connect of this.#quirks.hooks('connect')) connect();
      if (this.#isInMaintenance) {
        const page = this.#quirks.answer('maintenance', (hook) => hook());
        return page ?? new Response(null, { status: 503 });
      }
      if (!endpoint) return this.#showLoginPage(url);
      return this.#faults.apply(endpoint, () => this.#respond(endpoint, request), init?.signal);
    }
    if (this.#apiOrigins.includes(url.origin)) return this.#callApi(new Request(input, init));
    const { fetch } = this.#given;
    if (fetch) return fetch(input, init);
    throw connectionError('ECONNREFUSED');
  };

  get #nowMs(): number {
    return this.#given.clock?.now() ?? 0;
  }

  async #callApi(request: Request): Promise<Response> {
    const grant = this.#grants.authorizedBy(bearerToken(request), this.#nowMs);
    const refusal = grant
      ? this.#quirks.answer('api', (hook) => hook(request, grant))
      : this.#quirks.answer('dead', (hook) => hook('access'));
    return refusal ?? this.#given.api?.(request, grant?.user) ?? new Response(null, { status: 404 });
  }

  async #respond(endpoint: ProviderEndpoint, request: Request): Promise<Response> {
    if (endpoint === 'discovery') return this.#discover(request);
    const asked = await this.#read(endpoint, request);
    const refusal = this.#refusal(asked);
    if (refusal) return refusal;
    switch (endpoint) {
      case 'userinfo':
        return this.#userInfo(request);
      case 'device':
        return this.#authorizeDevice(asked.form);
      case 'pushed_authorization':
        return Response.json({ request_uri: this.#grants.push(asked.form), expires_in: 60 }, { status: 201 });
      case 'revocation':
        return this.#revoke(asked);
      case 'token':
        return this.#issue(asked);
    }
  }

  /** Sends a browser without a user back if the request is an error, and shows a page otherwise. */
  #showLoginPage(authorizationUrl: URL): Response {
    const { callback, isForm } = this.authorizationResponse(authorizationUrl, '');
    return callback.searchParams.has('error') && !isForm
      ? new Response(null, { status: 302, headers: { location: callback.href } })
      : new Response('<h1>Log in</h1>', { headers: { 'content-type': 'text/html' } });
  }

  #discover({ url }: Request): Response {
    const { issuer, endpoints } = this.#facts;
    const which = url === metadataAddresses(issuer).oidc ? 'oidc' : 'oauth';
    const other = this.#quirks.answer('wellKnown', (hook) => hook(which));
    return other ?? Response.json(this.#metadata(metadataOf(issuer, endpoints)));
  }

  #metadata(metadata: Record<string, unknown>): Record<string, unknown> {
    return this.#quirks.metadata(metadata, this.#facts);
  }

  async #read(endpoint: ProviderEndpoint, request: Request): Promise<QuirkRequest> {
    const body = await request.text();
    const form = new URLSearchParams(body);
    const { method, headers } = request;
    return { kind: kindOf(endpoint, form), method, headers, body, form, facts: this.#facts };
  }

  /** Refuses a client that is not authenticated, and what a quirk refuses. */
  #refusal(request: QuirkRequest): Response | undefined {
    if (request.kind !== 'user_info' && !this.#authenticates(request)) {
      return (
        this.#quirks.answer('error', (hook) => hook('invalid_client')) ??
        Response.json({ error: 'invalid_client' }, { status: 401 })
      );
    }
    return this.#quirks.answer('request', (hook) => hook(request));
  }

  #authenticates(request: QuirkRequest): boolean {
    if (request.kind === 'revocation' && this.#quirks.hooks('revocationToken').length > 0) return true;
    const checks = this.#quirks.hooks('authenticates');
    if (checks.length > 0) return checks.every((check) => check(request));
    return this.#facts.clientSecret === undefined || hasClientSecret(request);
  }

  get #isPublicClient(): boolean {
    return this.#facts.clientSecret === undefined && this.#quirks.hooks('authenticates').length === 0;
  }

  #userInfo(request: Request): Response {
    const user = this.userOf(bearerToken(request));
    if (user === undefined) return new Response(null, { status: 401 });
    const claims = this.#claimsOf(user);
    return this.#quirks.answer('userInfo', (hook) => hook(claims)) ?? Response.json(claims);
  }

  #authorizeDevice(form: URLSearchParams): Response {
    const userCode = `CODE-${this.requests.device}`;
    const deviceCode = this.#grants.authorizeDevice(userCode, form);
    return Response.json({
      device_code: deviceCode,
      user_code: userCode,
      verification_uri: new URL('/device', this.#facts.endpoints.authorization).href,
      expires_in: this.userCodeSeconds,
      ...(this.pollSeconds !== undefined && { interval: this.pollSeconds }),
    });
  }

  #revoke(request: QuirkRequest): Response {
    const [tokenOf] = this.#quirks.hooks('revocationToken');
    const token = tokenOf ? tokenOf(request) : request.form.get('token');
    if (!token) return Response.json({ error: 'invalid_request' }, { status: 400 });
    const grant = this.#grants.grantOf(token);
    const revocation = {
      isActive: grant !== undefined,
      isAccessToken: token.startsWith('access.'),
      endAll: () => this.#grants.endAll(grant?.user),
    };
    const answer = this.#quirks.answer('revoke', (hook) => hook(revocation));
    if (answer) return answer;
    this.#grants.revoke(token);
    return new Response(null, { status: 200 });
  }

  #issue(request: QuirkRequest): Response {
    const kind = request.kind as TokenRequestKind;
    const { accessTokenSeconds } = this;
    const { refreshTokenSeconds, tokenCharacters = 0 } = this.#given;
    const terms = { nowMs: this.#nowMs, accessTokenSeconds, refreshTokenSeconds, tokenCharacters };
    const grant = this.#grants.issue(request.form, terms);
    if (typeof grant === 'string') return this.#tokenError(grant, kind);
    const issue = { kind, grant, facts: this.#facts, idToken: () => this.#idToken(grant, kind) };
    const answer = {
      access_token: grant.accessToken,
      refresh_token: grant.refreshToken,
      token_type: 'Bearer',
      ...(accessTokenSeconds !== undefined && { expires_in: accessTokenSeconds }),
      ...(refreshTokenSeconds !== undefined && { refresh_expires_in: refreshTokenSeconds }),
      ...(this.#given.idTokens && { id_token: issue.idToken() }),
    };
    const changed = this.#quirks
      .hooks('tokens')
      .reduce<Record<string, unknown> | Response>(
        (fields, hook) => (fields instanceof Response ? fields : hook(fields, issue)),
        answer,
      );
    return changed instanceof Response ? changed : Response.json(changed);
  }

  #tokenError(error: string, kind: TokenRequestKind): Response {
    const dead =
      kind === 'refresh' && error === 'invalid_grant'
        ? this.#quirks.answer('dead', (hook) => hook('refresh'))
        : undefined;
    return (
      dead ?? this.#quirks.answer('error', (hook) => hook(error)) ?? Response.json({ error }, { status: 400 })
    );
  }

  #claimsOf(user: string): Record<string, unknown> {
    return { ...(this.#given.identity?.(user) ?? { sub: user, name: user }) };
  }

  #idToken(grant: Grant, kind: TokenRequestKind): string {
    const facts = this.#facts;
    const now = Math.floor(Date.now() / 1000);
    const nonce = grant.request.get('nonce');
    const claims = this.#quirks
      .hooks('claims')
      .reduce<Record<string, unknown>>((fields, hook) => hook(fields, { kind, grant, facts }), {
        iss: this.#metadata({ issuer: facts.issuer }).issuer,
        aud: grant.request.get('client_id'),
        iat: now,
        exp: now + 300,
        ...(nonce !== null && { nonce }),
        ...this.#claimsOf(grant.user),
      });
    const header = this.#quirks
      .hooks('header')
      .reduce<Record<string, unknown>>((fields, hook) => hook(fields), { alg: 'RS256', typ: 'JWT' });
    const jwt = signedJwt(header, claims, facts.clientSecret);
    return this.#quirks.hooks('idToken').reduce((text, hook) => hook(text), jwt);
  }
}

function kindOf(endpoint: ProviderEndpoint, form: URLSearchParams): QuirkRequest['kind'] {
  switch (endpoint) {
    case 'userinfo':
      return 'user_info';
    case 'device':
      return 'device_authorization';
    case 'revocation':
    case 'pushed_authorization':
      return endpoint;
    default:
      if (form.has('refresh_token')) return 'refresh';
      return form.has('device_code') ? 'device' : 'code';
  }
}

function bearerToken(request: Request): string {
  return request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '';
}
