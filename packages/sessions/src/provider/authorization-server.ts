import * as oidc from 'openid-client';
import { SessionError } from '../errors.js';
import { failureIn, type ProviderFailure } from '../session/provider-failures.js';
import type { Clock } from '../time/clock.js';
import { credentialsIn } from './credentials.js';
import { FailurePause } from './failure-pause.js';
import { FailureReporter } from './failure-reporter.js';
import { ProviderConnection } from './provider-connection.js';
import { placeOf } from './provider-failure.js';
import { type JsonWebKeySet, ProviderKeys } from './provider-keys.js';
import type { ProviderSettings } from './provider-settings.js';
import { metadataOf } from './server-metadata.js';

export interface AuthorizationServerOptions {
  /** Its issuer, and this server's credentials for introspection. */
  readonly settings: ProviderSettings;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Receives each failure once. */
  readonly report: (failure: ProviderFailure) => void;
}

/** The authorization server that issues the access tokens of clients, over openid-client. */
export class AuthorizationServer {
  readonly #connection: ProviderConnection;
  readonly #name: string;
  readonly #failures: FailureReporter;
  readonly #keys: ProviderKeys;
  readonly #pause: FailurePause;

  constructor({ settings, clock, fetch, report }: AuthorizationServerOptions) {
    this.#connection = new ProviderConnection(settings, clock, fetch, []);
    this.#name = settings.name;
    this.#failures = new FailureReporter(settings.name, report, credentialsIn(settings));
    this.#keys = new ProviderKeys(this.#connection, this.#failures, clock);
    this.#pause = new FailurePause(clock);
  }

  /**
   * Returns the server's metadata (RFC 8414), discovered once.
   * @throws ProviderError
   */
  async metadata(): Promise<oidc.ServerMetadata> {
    return metadataOf(await this.#configured());
  }

  /** Requests its public keys, at most every two seconds while that fails. @throws ProviderError */
  requestKeys(): Promise<JsonWebKeySet> {
    return this.#keys.request();
  }

  /** Introspects a token (RFC 7662 section 2.2). @throws SessionError */
  async introspect(token: string): Promise<unknown> {
    const configuration = await this.#configured();
    const place = { ...placeOf('introspection', configuration), secrets: [token] };
    const request = () => this.#failures.run(place, () => oidc.tokenIntrospection(configuration, token));
    try {
      return await this.#pause.run(request, isOutage);
    } catch (error) {
      const isTransient = failureIn(error)?.outcome !== 'refused';
      throw new SessionError(
        isTransient ? 'provider_unavailable' : 'provider_refused',
        isTransient
          ? `The authorization server "${this.#name}" cannot introspect your token now. Try again in a minute.`
          : `The authorization server "${this.#name}" rejected the introspection. Ask the operator of this server to check its credentials for introspection: the log has the reason.`,
        { cause: error, retryAfterSeconds: 60 },
      );
    }
  }

  #configured(): Promise<oidc.Configuration> {
    return this.#failures.run({ step: 'discovery' }, () => this.#connection.configured());
  }
}

/** Whether every token would fail like this one. A status of 500 can be due to the token. */
function isOutage({ outcome, status }: ProviderFailure): boolean {
  return outcome === 'unavailable' && status !== 500;
}
