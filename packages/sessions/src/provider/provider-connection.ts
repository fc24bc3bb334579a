import { AsyncLocalStorage } from 'node:async_hooks';
import * as oidc from 'openid-client';
import { readLimitedText } from '../limits/read-limited-text.js';
import { omitUndefined } from '../omit-undefined.js';
import type { Clock } from '../time/clock.js';
import type { Fence } from '../time/fence.js';
import { clientAuthentication } from './client-authentication.js';
import { discover, isHttpAllowed } from './discovery.js';
import { type EndpointName, endpointsOfLogins } from './metadata-fields.js';
import type { ProviderSettings } from './provider-settings.js';
import { REQUEST_TIMEOUT_MS } from './timeouts.js';
import { readTokenAnswer } from './token-answers.js';

/** How long a failed discovery is not repeated. */
const DISCOVERY_PAUSE_MS = 2000;

/** The connection to a provider: its metadata, this server's credentials, and the requests. */
export class ProviderConnection {
  readonly #settings: ProviderSettings;
  readonly #clock: Clock;
  readonly #fetch: typeof fetch;
  readonly #needed: readonly EndpointName[];
  /** Reaches the request through openid-client, which signs client assertions before it. */
  readonly #fences = new AsyncLocalStorage<Fence>();
  #configuration: Promise<oidc.Configuration> | undefined;

  /** @param needed the endpoints that the metadata has to name. Default: those of a login */
  constructor(
    settings: ProviderSettings,
    clock: Clock,
    fetch: typeof globalThis.fetch,
    needed: readonly EndpointName[] = endpointsOfLogins(settings),
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#fetch = fetch;
    this.#needed = needed;
  }

  /**
   * The configuration of openid-client, from discovery (RFC 8414, OpenID Connect Discovery) or from the options.
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  async configured(): Promise<oidc.Configuration> {
    this.#configuration ??= this.#settings.endpoints
      ? this.#describe()
      : discover(this.#settings, (url, options) => this.#call(url, options), this.#needed);
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

  /** Runs a token request that is sent only if the fence allows it in the tick of sending; else it rejects. */
  fenced<T>(fence: Fence, run: () => Promise<T>): Promise<T> {
    return this.#fences.run(fence, run);
  }

  /** Requests a document, without credentials. @throws as `fetch` does; TooLargeError */
  get(url: string, accept = 'application/json'): Promise<Response> {
    const headers = { accept };
    return this.#call(url, { method: 'GET', headers, redirect: 'manual', body: null });
  }

  async #describe(): Promise<oidc.Configuration> {
    const { issuer, endpoints, clientId } = this.#settings;
    const metadata = {
      issuer,
      authorization_endpoint: endpoints?.authorization,
      token_endpoint: endpoints?.token,
      userinfo_endpoint: endpoints?.userInfo,
      revocation_endpoint: endpoints?.revocation,
      device_authorization_endpoint: endpoints?.deviceAuthorization,
      pushed_authorization_request_endpoint: endpoints?.pushedAuthorization,
      jwks_uri: endpoints?.jwks,
    };
    // openid-client does not accept endpoints that are undefined.
    const configuration = new oidc.Configuration(
      omitUndefined(metadata) as unknown as oidc.ServerMetadata,
      clientId,
      undefined,
      await clientAuthentication(this.#settings),
    );
    configuration[oidc.customFetch] = (url, options) => this.#call(url, options);
    if (isHttpAllowed(this.#settings)) oidc.allowInsecureRequests(configuration);
    return configuration;
  }

  async #call(url: string, options: oidc.CustomFetchOptions): Promise<Response> {
    const { body, signal: _signal, ...rest } = options;
    const form = body instanceof URLSearchParams ? body : undefined;
    // Bodies are forms, or the text of a request for user info.
    const request = { ...rest, body: form ?? (typeof body === 'string' ? body : null) };
    const grantType = form?.get('grant_type');
    if (grantType && this.#fences.getStore()?.() === false)
      throw new Error('It is too late to send this token request.');
    // A refresh is never aborted: only its response contains the next refresh token.
    if (grantType === 'refresh_token')
      return readTokenAnswer(await this.#fetch(url, request), this.#settings);
    const timeout = new AbortController();
    const cancel = this.#clock.after(REQUEST_TIMEOUT_MS, () =>
      timeout.abort(new DOMException('The provider did not respond in time.', 'TimeoutError')),
    );
    try {
      const response = await this.#fetch(url, { ...request, signal: timeout.signal });
      if (grantType) return await readTokenAnswer(response, this.#settings);
      // The timeout includes the body.
      return await buffered(response);
    } finally {
      cancel();
    }
  }
}

const MAX_RESPONSE_BYTES = 1024 * 1024;

async function buffered(response: Response): Promise<Response> {
  const text = await readLimitedText(response, MAX_RESPONSE_BYTES);
  const { status, headers } = response;
  const hasBody = status !== 204 && status !== 304;
  return new Response(hasBody ? text : null, { status, headers });
}
