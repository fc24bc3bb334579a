import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import type { OAuthClientInformationFull, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { User } from './user.js';

/** The OAuth state of an SDK client, in memory, with a user who follows the sign-in link at once. */
export class RememberedSignIn implements OAuthClientProvider {
  readonly redirectUrl: string;
  readonly clientMetadata: OAuthClientProvider['clientMetadata'];
  readonly #user: User;
  readonly #server: ReturnType<typeof createServer>;
  #client: OAuthClientInformationFull | undefined;
  #tokens: OAuthTokens | undefined;
  #verifier = '';
  #code: string | undefined;
  #error: string | undefined;

  private constructor(user: User, server: ReturnType<typeof createServer>, port: number) {
    this.#user = user;
    this.#server = server;
    this.redirectUrl = `http://127.0.0.1:${port}/callback`;
    this.clientMetadata = {
      client_name: 'old SDK',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  /** Listens for the redirect of the browser. */
  static async prepare(user: User): Promise<RememberedSignIn> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    // A server that listens on a port has such an address.
    const signIn = new RememberedSignIn(user, server, (server.address() as AddressInfo).port);
    server.on('request', (request, response) => {
      const { searchParams } = new URL(request.url ?? '/', signIn.redirectUrl);
      signIn.#code = searchParams.get('code') ?? undefined;
      signIn.#error = searchParams.get('error') ?? undefined;
      response.end('done');
    });
    return signIn;
  }

  /** @returns the parameters of the redirect */
  code(): Promise<string> {
    if (this.#code !== undefined) return Promise.resolve(this.#code);
    const reason =
      this.#error === undefined ? 'the client asks for no sign-in' : `the sign-in ends with ${this.#error}`;
    return Promise.reject(new Error(reason));
  }

  clientInformation(): OAuthClientInformationFull | undefined {
    return this.#client;
  }
  saveClientInformation(client: OAuthClientInformationFull): void {
    this.#client = client;
  }
  tokens(): OAuthTokens | undefined {
    return this.#tokens;
  }
  saveTokens(tokens: OAuthTokens): void {
    this.#tokens = tokens;
  }
  async redirectToAuthorization(url: URL): Promise<void> {
    await this.#user.follow(url.href);
  }
  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }
  codeVerifier(): string {
    return this.#verifier;
  }

  invalidateCredentials(scope: 'all' | 'client' | 'tokens' | 'verifier'): void {
    if (scope === 'all' || scope === 'client') this.#client = undefined;
    if (scope === 'all' || scope === 'tokens') this.#tokens = undefined;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
