import type { Hono } from 'hono';
import { sharedLoad } from '../time/promises.js';
import type { HttpEnv } from './http-env.js';

type App = Pick<Hono<HttpEnv>, 'fetch' | 'routes'>;

/** The routes of a server. The first request that needs them loads them, with Hono. */
export class LazyApp {
  /** Loads the routes, once. */
  readonly load: () => Promise<App>;
  #loaded: App | undefined;

  constructor(create: () => Promise<App>) {
    this.load = sharedLoad(async () => {
      this.#loaded = await create();
      return this.#loaded;
    });
  }

  /** Absent until the routes are loaded. */
  get loaded(): App | undefined {
    return this.#loaded;
  }
}
