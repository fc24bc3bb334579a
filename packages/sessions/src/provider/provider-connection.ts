import { webcrypto } from 'node:crypto';
import * as oidc from 'openid-client';
import { readBoundedText } from '../bounded-text.js';
import { SessionError } from '../errors.js';
import type { Clock } from '../time/clock.js';
import { providerFailure } from './provider-failure.js';
import type { ProviderSettings } from './provider-options.js';
import { readTokenAnswer } from './token-answers.js';

const REQUEST_TIMEOUT_MS = 10_000;
const REVOCATION_TIMEOUT_MS = 5000;
/** After a failed discovery, the next login waits this long before it asks again. */
const DISCOVERY_PAUSE_MS = 2000;

/** How a provider is reached: its metadata, this server's credentials there, and the way requests take. */
export class ProviderConnection {
  readonly #settings: ProviderSettings;
  readonly #clock: Clock;
  readonly #fetch: typeof fetch;
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

  async #describe(): Promise<oidc.Configuration> {
    const { issuer, endpoints, clientId } = this.#settings;
    const metadata = {
      issuer,
      authorization_endpoint: endpoints?.authorization,
      token_endpoint: endpoints?.token,
      userinfo_endpoint: endpoints?.userInfo,
      revocation_endpoint: endpoints?.revocation,
    };
    // The library takes a missing endpoint for one that is undefined only if it is not there.
    const known = Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined));
    const configuration = new oidc.Configuration(
      known as unknown as oidc.ServerMetadata,
      clientId,
      undefined,
      await this.#authentication(),
    );
    configuration[oidc.customFetch] = (url, options) => this.#call(url, options);
    if (this.#isHttp) oidc.allowInsecureRequests(configuration);
    return configuration;
  }

  async #discover(): Promise<oidc.Configuration> {
    const { issuer, clientId, name, pkce } = this.#settings;
    let configuration: oidc.Configuration;
    try {
      configuration = await oidc.discovery(
        new URL(issuer),
        clientId,
        undefined,
        await this.#authentication(),
        {
          [oidc.customFetch]: (url, options) => this.#call(url, options),
          ...(this.#isHttp && { execute: [oidc.allowInsecureRequests] }),
        },
      );
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
    if (pkce !== 'S256' && !configuration.serverMetadata().supportsPKCE('S256')) {
      throw new SessionError(
        'provider_refused',
        `The identity provider "${name}" does not announce PKCE with S256. If it supports it all the same, the operator sets \`pkce: 'S256'\`.`,
      );
    }
    return configuration;
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
        return oidc.PrivateKeyJwt(await importKey(clientKey ?? {}));
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
      if (grantType) return await readTokenAnswer(response, false);
      // Read within the time that it has, too.
      return await buffered(response);
    } finally {
      cancel();
    }
  }
}

const MAX_ANSWER_BYTES = 1024 * 1024;

async function buffered(response: Response): Promise<Response> {
  const text = await readBoundedText(response, MAX_ANSWER_BYTES);
  const { status, headers } = response;
  const hasBody = status !== 204 && status !== 304;
  return new Response(hasBody ? text : null, { status, headers });
}

/** Keys for signing only: what the JWK's `alg` says decides (RFC 7518 section 3.1). */
async function importKey(jwk: NonNullable<ProviderSettings['clientKey']>): Promise<oidc.PrivateKey> {
  const { alg = '', kid } = jwk;
  const algorithm = KEY_ALGORITHMS[alg];
  if (!algorithm) {
    throw new SessionError(
      'configuration',
      `\`clientKey\` has the algorithm "${alg}". It has to be one of ${Object.keys(KEY_ALGORITHMS).join(', ')}.`,
    );
  }
  // What the platform says of a key it cannot use might quote it.
  const key = await webcrypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign']).catch(() => undefined);
  if (!key) {
    throw new SessionError(
      'configuration',
      `\`clientKey\` is no private key for ${alg}. Give the JWK as it was generated.`,
    );
  }
  return kid === undefined ? { key } : { key, kid };
}

const KEY_ALGORITHMS: Readonly<
  Record<string, webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams>
> = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  ES384: { name: 'ECDSA', namedCurve: 'P-384' },
  ES512: { name: 'ECDSA', namedCurve: 'P-521' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
};

/** Discovery exchanges no secrets, so its errors may be shown. */
function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message : String(inner);
}
