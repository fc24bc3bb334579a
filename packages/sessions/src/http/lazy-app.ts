import type { Hono } from 'hono';
import type { HttpEnv } from './http-env.js';

type App = Pick<Hono<HttpEnv>, 'fetch' | 'routes'>;

/** The routes of a server. The first request that needs them loads them, with Hono. */
export class LazyApp {
  readonly #create: () => Promise<App>;
  #loading: Promise<App> | undefined;
  #loaded: App | undefined;

  constructor(create: () => Promise<App>) {
    this.#create = create;
  }

  /** Absent until the routes are loaded. */
  get loaded(): App | undefined {
    return this.#loaded;
  }

  load(): Promise<App> {
    this.#loading ??= this.#create().then((app) => {
      this.#loaded = app;
      return app;
    });
    return this.#loading;
  }
}
