import { AsyncLocalStorage } from 'node:async_hooks';
import * as oidc from 'openid-client';
import { SessionError } from '../errors.js';
import { readLimitedText } from '../limits/read-limited-text.js';
import { omitUndefined } from '../omit-undefined.js';
import type { Clock } from '../time/clock.js';
import { Secret } from '../vault/secret.js';
import type { TokenSet } from '../vault/token-set.js';
import { keyAuthentication } from './client-assertion-key.js';
import { providerFailure } from './provider-failure.js';
import type { ProviderSettings } from './provider-options.js';
import { readTokenAnswer } from './token-answers.js';

const REQUEST_TIMEOUT_MS = 10_000;
export const REVOCATION_TIMEOUT_MS = 5000;
/** After a failed discovery, the next login waits this long before it asks again. */
const DISCOVERY_PAUSE_MS = 2000;

/** A code that is being redeemed, and the answer that brought tokens for it. */
interface Redemption {
  granted: Response | undefined;
}

/** How a provider is reached: its metadata, this server's credentials there, and the way requests take. */
export class ProviderConnection {
  readonly #settings: ProviderSettings;
  readonly #clock: Clock;
  readonly #fetch: typeof fetch;
  readonly #redemptions = new AsyncLocalStorage<Redemption>();
  #configuration: Promise<oidc.Configuration> | undefined;

  constructor(settings: ProviderSettings, clock: Clock, fetch: typeof globalThis.fetch) {
    this.#settings = settings;
    this.#clock = clock;
    this.#fetch = fetch;
  }

  /**
   * What the client library has to know, from discovery (RFC 8414, OpenID Connect Discovery) or configured.
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  async configured(): Promise<oidc.Configuration> {
    this.#configuration ??= this.#settings.endpoints ? this.#describe() : this.#discover();
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

  /**
   * Redeems a code by `request`. The client library keeps to itself what was granted when it finds fault with
   * the ID token that came with it.
   * @param discard gets the tokens that were granted although `request` fails
   */
  async redeem<T>(request: () => Promise<T>, discard: (tokens: TokenSet) => void): Promise<T> {
    const redemption: Redemption = { granted: undefined };
    try {
      return await this.#redemptions.run(redemption, request);
    } catch (error) {
      if (redemption.granted) discard(await tokensIn(redemption.granted));
      throw error;
    }
  }

  #remembered(granted: Response): Response {
    const redemption = this.#redemptions.getStore();
    if (redemption) redemption.granted = granted.clone();
    return granted;
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
    };
    // The library takes a missing endpoint for one that is undefined only if it is not there.
    const configuration = new oidc.Configuration(
      omitUndefined(metadata) as unknown as oidc.ServerMetadata,
      clientId,
      undefined,
      await this.#authentication(),
    );
    configuration[oidc.customFetch] = (url, options) => this.#call(url, options);
    if (this.#isHttp) oidc.allowInsecureRequests(configuration);
    return configuration;
  }

  async #discover(): Promise<oidc.Configuration> {
    const { name, pkce, deviceFlow } = this.#settings;
    let configuration: oidc.Configuration;
    try {
      configuration = await this.#discoverBy('oidc').catch((error: unknown) => {
        if (providerFailure(error).kind !== 'refused') throw error;
        // It may know nothing of OpenID Connect. If it has no metadata of that kind either, the first error counts.
        return this.#discoverBy('oauth2').catch(() => {
          throw error;
        });
      });
    } catch (cause) {
      if (cause instanceof SessionError) throw cause;
      const { kind } = providerFailure(cause);
      if (kind !== 'unavailable' && kind !== 'lost') {
        throw new SessionError(
          'provider_refused',
          `What the identity provider "${name}" says of itself does not fit this server's configuration: ${reasonOf(cause)}. Tell the operator of this server.`,
          { cause },
        );
      }
      throw new SessionError(
        'provider_unavailable',
        `The identity provider "${name}" cannot be reached. Try again in a minute; if it stays so, tell the operator of this server.`,
        { cause, retryAfterSeconds: 60 },
      );
    }
    const metadata = configuration.serverMetadata();
    if (deviceFlow && !metadata.device_authorization_endpoint) {
      throw new SessionError(
        'provider_refused',
        `The identity provider "${name}" does not announce the device flow. Tell the operator of this server to leave out \`deviceFlow\`.`,
      );
    }
    // Without an authorization code there is nothing for PKCE to protect.
    if (deviceFlow !== 'only' && pkce !== 'S256' && !metadata.supportsPKCE('S256')) {
      throw new SessionError(
        'provider_refused',
        `The identity provider "${name}" does not announce PKCE with S256. If it supports it all the same, the operator sets \`pkce: 'S256'\`.`,
      );
    }
    return configuration;
  }

  async #discoverBy(algorithm: 'oidc' | 'oauth2'): Promise<oidc.Configuration> {
    const { issuer, clientId } = this.#settings;
    return oidc.discovery(new URL(issuer), clientId, undefined, await this.#authentication(), {
      algorithm,
      [oidc.customFetch]: (url, options) => this.#call(url, options),
      ...(this.#isHttp && { execute: [oidc.allowInsecureRequests] }),
    });
  }

  /** Whether the library has to let http pass at all; which addresses may use it, the options have checked. */
  get #isHttp(): boolean {
    const { issuer, endpoints } = this.#settings;
    const addresses: (string | undefined)[] = [issuer, ...Object.values(endpoints ?? {})];
    return addresses.some((address) => address !== undefined && new URL(address).protocol === 'http:');
  }

  async #authentication(): Promise<oidc.ClientAuth> {
    const { clientAuthentication, clientSecret, clientKey } = this.#settings;
    switch (clientAuthentication) {
      case 'client_secret_basic':
        return oidc.ClientSecretBasic(clientSecret);
      case 'client_secret_post':
        return oidc.ClientSecretPost(clientSecret);
      case 'private_key_jwt':
        return keyAuthentication(clientKey ?? {});
      case 'none':
        return oidc.None();
    }
  }

  async #call(url: string, options: oidc.CustomFetchOptions): Promise<Response> {
    const { body, signal: _ownPatience, ...rest } = options;
    // Nothing but forms is ever sent to a provider.
    const form = body instanceof URLSearchParams ? body : null;
    const grantType = form?.get('grant_type');
    // A refresh that was sent is never aborted: its answer may be the only way to the next refresh token.
    if (grantType === 'refresh_token')
      return readTokenAnswer(await this.#fetch(url, { ...rest, body: form }), true);
    const timeout = new AbortController();
    const cancel = this.#clock.after(
      form?.has('token_type_hint') ? REVOCATION_TIMEOUT_MS : REQUEST_TIMEOUT_MS,
      () => timeout.abort(new DOMException('The provider took too long.', 'TimeoutError')),
    );
    try {
      const response = await this.#fetch(url, { ...rest, body: form, signal: timeout.signal });
      if (grantType) return this.#remembered(await readTokenAnswer(response, false));
      // Read within the time that it has, too.
      return await buffered(response);
    } finally {
      cancel();
    }
  }
}

async function tokensIn(granted: Response): Promise<TokenSet> {
  // The table of answers lets nothing else pass.
  const fields = (await granted.json()) as { access_token: string; refresh_token?: string };
  return {
    accessToken: Secret.fromString(fields.access_token),
    refreshToken: fields.refresh_token ? Secret.fromString(fields.refresh_token) : undefined,
  };
}

const MAX_ANSWER_BYTES = 1024 * 1024;

async function buffered(response: Response): Promise<Response> {
  const text = await readLimitedText(response, MAX_ANSWER_BYTES);
  const { status, headers } = response;
  const hasBody = status !== 204 && status !== 304;
  return new Response(hasBody ? text : null, { status, headers });
}

/** Discovery exchanges no secrets, so its errors may be shown. */
function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message : String(inner);
}
