import { ProviderError, type ProviderFailure } from '../session/provider-failures.js';
import { type FailurePlace, failureOf } from './provider-failure.js';

/** Converts the errors of one provider's requests, and reports each failure once. */
export class FailureReporter {
  readonly provider: string;
  readonly #report: (failure: ProviderFailure) => void;
  readonly #secrets: readonly string[];
  /** A failed discovery is the result of all requests that wait for it. */
  readonly #reported = new WeakSet<ProviderError>();

  /** @param secrets what every request may contain: the credentials of the client */
  constructor(provider: string, report: (failure: ProviderFailure) => void, secrets: readonly string[] = []) {
    this.provider = provider;
    this.#report = report;
    this.#secrets = secrets;
  }

  /** Runs a request. @throws ProviderError, which is reported */
  async run<T>(place: Omit<FailurePlace, 'provider'>, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw this.report(this.errorOf(error, place));
    }
  }

  /** Converts an error of a request. */
  errorOf(error: unknown, place: Omit<FailurePlace, 'provider'>): ProviderError {
    if (error instanceof ProviderError) return error;
    const secrets = [...this.#secrets, ...(place.secrets ?? [])];
    return new ProviderError(failureOf(error, { ...place, provider: this.provider, secrets }), {
      cause: error,
    });
  }

  /** Reports an error unless that has been done. @returns the error */
  report(error: ProviderError): ProviderError {
    if (this.#reported.has(error)) return error;
    this.#reported.add(error);
    this.#report(error.failure);
    return error;
  }
}
