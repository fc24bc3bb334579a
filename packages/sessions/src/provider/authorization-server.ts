import * as oidc from 'openid-client';
import { SessionError } from '../errors.js';
import type { Clock } from '../time/clock.js';
import { ProviderConnection } from './provider-connection.js';
import { providerFailure } from './provider-failure.js';
import { providerSettings } from './provider-options.js';

export interface AuthorizationServerOptions {
  readonly issuer: string;
  /** This server's credentials for introspection. */
  readonly introspection?:
    | { readonly clientId: string; readonly clientSecret?: string | undefined }
    | undefined;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
}

/** Metadata is public: whoever only reads it needs no registration. */
const NOBODY = { clientId: 'anonymous' };

/** An authorization server as the resource server sees it that takes its tokens, over openid-client. */
export class AuthorizationServer {
  readonly #connection: ProviderConnection;
  readonly #name: string;
  /** What it says of a token (RFC 7662 section 2.2). Absent without credentials. @throws SessionError */
  readonly introspect: ((token: string) => Promise<unknown>) | undefined;

  /** @throws SessionError `configuration` */
  constructor({ issuer, introspection, clock, fetch }: AuthorizationServerOptions) {
    // No authorization code is asked for here, so whether it supports PKCE does not matter.
    const settings = providerSettings({ issuer, pkce: 'S256', ...(introspection ?? NOBODY) });
    this.#connection = new ProviderConnection(settings, clock, fetch);
    this.#name = settings.name;
    this.introspect = introspection && ((token) => this.#introspect(token));
  }

  /**
   * Returns the server's metadata (RFC 8414), discovered once.
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  async metadata(): Promise<oidc.ServerMetadata> {
    return (await this.#connection.configured()).serverMetadata();
  }

  /** Where its public keys are. @throws SessionError `provider_unavailable`, `provider_refused` */
  async jwksUri(): Promise<URL> {
    const { jwks_uri: uri } = await this.metadata();
    if (uri !== undefined) return new URL(uri);
    throw new SessionError(
      'provider_refused',
      `The authorization server "${this.#name}" publishes no keys. Tell the operator of this server.`,
    );
  }

  async #introspect(token: string): Promise<unknown> {
    const configuration = await this.#connection.configured();
    try {
      return await oidc.tokenIntrospection(configuration, token);
    } catch (cause) {
      const isTransient = providerFailure(cause).kind !== 'refused';
      throw new SessionError(
        isTransient ? 'provider_unavailable' : 'provider_refused',
        isTransient
          ? `The authorization server "${this.#name}" cannot be asked about your token now. Try again in a minute.`
          : `The authorization server "${this.#name}" does not let this server ask about tokens. Tell its operator.`,
        { cause, retryAfterSeconds: 60 },
      );
    }
  }
}
