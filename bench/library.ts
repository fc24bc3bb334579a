import type { RefreshClaim } from '../packages/sessions/src/account/refresh/refresh-claim.js';
import type { composeServer } from '../packages/sessions/src/server/create-sessions.js';
import type { ANONYMOUS_OWNER } from '../packages/sessions/src/session/ids.js';
import type { snapshotOf } from '../packages/sessions/src/session/session-record.js';
import type { createMapPorts } from '../packages/sessions/src/store/ports.js';
import type { redisClusterWith } from '../packages/sessions/src/store/redis/redis-cluster.js';
import type { systemClock } from '../packages/sessions/src/time/clock.js';
import type { systemRandom } from '../packages/sessions/src/vault/random.js';
import type { Secret } from '../packages/sessions/src/vault/secret.js';

/** The internal modules that are used, each with the names that are. The package does not export them. */
interface Modules {
  readonly 'account/refresh/refresh-claim': { readonly RefreshClaim: typeof RefreshClaim };
  readonly 'server/create-sessions': { readonly composeServer: typeof composeServer };
  readonly 'session/ids': { readonly ANONYMOUS_OWNER: typeof ANONYMOUS_OWNER };
  readonly 'session/session-record': { readonly snapshotOf: typeof snapshotOf };
  readonly 'store/ports': { readonly createMapPorts: typeof createMapPorts };
  readonly 'store/redis/redis-cluster': { readonly redisClusterWith: typeof redisClusterWith };
  readonly 'time/clock': { readonly systemClock: typeof systemClock };
  readonly 'vault/random': { readonly systemRandom: typeof systemRandom };
  readonly 'vault/secret': { readonly Secret: typeof Secret };
}

/**
 * For the bundle that is measured. The first is the main one.
 * @public `start.mjs` imports it from the compiled file
 */
export const INTERNAL_MODULES: readonly (keyof Modules)[] = [
  'server/create-sessions',
  'account/refresh/refresh-claim',
  'session/ids',
  'session/session-record',
  'store/ports',
  'store/redis/redis-cluster',
  'time/clock',
  'vault/random',
  'vault/secret',
];

/** Seen from `bench/dist/bench`. */
const ROOT = new URL('../../../', import.meta.url);

/** The copy that the library uses. The one of this folder would be loaded besides. */
export const { z }: typeof import('zod') = await import(new URL('node_modules/zod/index.js', ROOT).href);

/** Imports an internal module from a bundle that is made as the published one. */
export function builtModule<Path extends keyof Modules>(path: Path): Promise<Modules[Path]> {
  return import(new URL(`packages/sessions/dist/bench/${path}.js`, ROOT).href);
}
