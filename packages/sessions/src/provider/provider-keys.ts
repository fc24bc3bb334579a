import * as oidc from 'openid-client';
import { z } from 'zod';
import { ProviderError } from '../session/provider-failures.js';
import type { Clock } from '../time/clock.js';
import { FailurePause } from './failure-pause.js';
import type { FailureReporter } from './failure-reporter.js';
import type { ProviderConnection } from './provider-connection.js';
import { placeOf } from './provider-failure.js';

/** RFC 7517 section 5. */
export interface JsonWebKeySet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

const keySetSchema = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });

/** Requests the public keys of a provider, which its tokens are signed with. */
export class ProviderKeys {
  readonly #connection: ProviderConnection;
  readonly #failures: FailureReporter;
  readonly #pause: FailurePause;

  constructor(connection: ProviderConnection, failures: FailureReporter, clock: Clock) {
    this.#connection = connection;
    this.#failures = failures;
    this.#pause = new FailurePause(clock);
  }

  /**
   * Requests the keys. In the two seconds after a failure, that failure is the answer.
   * @throws ProviderError, which is reported once
   */
  async request(): Promise<JsonWebKeySet> {
    const configuration = await this.#failures.run({ step: 'discovery' }, () =>
      this.#connection.configured(),
    );
    const place = placeOf('keys', configuration);
    return this.#pause.run(() => this.#failures.run(place, () => this.#requestAt(place.endpoint)));
  }

  async #requestAt(endpoint: string | undefined): Promise<JsonWebKeySet> {
    if (endpoint === undefined || !URL.canParse(endpoint)) {
      const { provider } = this.#failures;
      const failure = { provider, step: 'keys', reason: 'endpoint_missing', outcome: 'refused' } as const;
      throw new ProviderError(failure);
    }
    try {
      const response = await this.#connection.get(endpoint);
      if (response.status !== 200) throw new oidc.ClientError('unexpected status', { cause: response });
      return keySetSchema.parse(await response.json());
    } catch (error) {
      throw error instanceof oidc.ClientError ? error : new oidc.ClientError('no keys', { cause: error });
    }
  }
}
