import { loadJose } from '../access/issuer-keys.js';
import type { RequestsInFlight } from '../http/request-end.js';
import { providerModules } from '../provider/provider.js';

/** What only logins, pages and access tokens need. What others are built on comes first, so that each takes little. */
const MODULES: readonly (() => Promise<unknown>)[] = [
  () => import('hono'),
  loadJose,
  ...providerModules,
  () => import('./app.js'),
];

/**
 * Loads what a start leaves out, so that the first login does not wait for it. One module at a time, and none while a
 * request is in flight.
 */
export class BackgroundLoads {
  readonly #calls: Pick<RequestsInFlight, 'settled'>;
  readonly #modules: readonly (() => Promise<unknown>)[];
  #loading: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  /** @param modules load one module each. Default: those of a server over HTTP */
  constructor(
    calls: Pick<RequestsInFlight, 'settled'>,
    modules: readonly (() => Promise<unknown>)[] = MODULES,
  ) {
    this.#calls = calls;
    this.#modules = modules;
  }

  /** Resolves when all are loaded, or when they are stopped. Never rejects. */
  async run(): Promise<void> {
    for (const load of this.#modules) {
      // Requests that have arrived come first.
      await new Promise((resolve) => setImmediate(resolve));
      await this.#calls.settled();
      if (this.#isStopped) return;
      this.#loading = load().catch(ignore);
      await this.#loading;
    }
  }

  /** Loads no further module. Resolves when none is being loaded. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#loading;
  }
}

function ignore(): void {
  // The request that needs the module loads it again, and reports the error.
}
