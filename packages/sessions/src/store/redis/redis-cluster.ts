import { z } from 'zod';
import { parseOptions } from '../../parse-options.js';
import { KeyRing } from '../../vault/key-ring.js';
import { systemRandom } from '../../vault/random.js';
import type { Cluster, JoinableCluster } from '../cluster.js';
import type { EngineAddress } from './connections.js';
import { parseMasterKeys } from './master-keys.js';
import { RedisNode, type RedisNodeOptions } from './redis-node.js';

/** The options of {@link redisCluster}. Either `url`, or `sentinels` and `sentinelName`. */
export interface RedisClusterOptions {
  /** `redis://user:password@host:port`, or `rediss://…` with TLS. */
  readonly url?: string | undefined;
  /** The sentinels of a primary with replicas. */
  readonly sentinels?: readonly { readonly host: string; readonly port: number }[] | undefined;
  /** The name of the primary at the sentinels. */
  readonly sentinelName?: string | undefined;
  /** The user and the password of the engine behind sentinels. Default: none. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The password of the sentinels themselves. Default: none. */
  readonly sentinelPassword?: string | undefined;
  /**
   * The master keys, the newest first: `id:base64` with 32 random bytes each. Records are sealed with the first and open
   * with any of them. All nodes have the same.
   */
  readonly keys: readonly string[];
  /** Tells the keys of several clusters in one engine apart. Default: `ms`. */
  readonly namespace?: string | undefined;
  /**
   * Whether the engine may write to disk. Sealed records, and with them sealed tokens, are on disk then. Default: false:
   * an engine that may is not used.
   */
  readonly allowPersistence?: boolean | undefined;
}

const schema = z.strictObject({
  url: z
    .string()
    .regex(/^rediss?:\/\//, 'must begin with redis:// or rediss://')
    .optional(),
  sentinels: z
    .array(z.strictObject({ host: z.string().min(1), port: z.number().int() }))
    .min(1)
    .optional(),
  sentinelName: z.string().min(1).optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  sentinelPassword: z.string().optional(),
  keys: z.array(z.string()),
  namespace: z
    .string()
    .regex(/^[\w-]{1,32}$/, 'must have 1 to 32 letters, digits, _ or -')
    .default('ms'),
  allowPersistence: z.boolean().default(false),
} satisfies Record<keyof RedisClusterOptions, z.ZodType>);

type Parsed = z.output<typeof schema>;

/**
 * The processes that share sessions through Redis (6.2 or newer) or Valkey, for `createSessions({ cluster })`. Any of
 * them serves any session and any login. Needs the package `ioredis`. One object serves one server.
 * @throws SessionError `configuration` if the options are invalid
 */
export function redisCluster(options: RedisClusterOptions): Cluster {
  return redisClusterWith({}, options);
}

/** {@link redisCluster} with other deadlines. Internal: tests run on busy machines. */
export function redisClusterWith(
  timing: Pick<RedisNodeOptions, 'deadlineMs'>,
  options: RedisClusterOptions,
): Cluster {
  const { address, prefix, keys, allowPersistence } = parseClusterOptions(options);
  const ring = new KeyRing(parseMasterKeys(keys), systemRandom);
  const cluster: JoinableCluster = {
    join: (joining) => new RedisNode({ ...joining, ...timing, address, ring, prefix, allowPersistence }),
  };
  return cluster;
}

/** Where an engine is, and how this cluster uses it. */
interface ClusterAddress extends Pick<RedisNodeOptions, 'address' | 'prefix' | 'allowPersistence'> {
  readonly keys: readonly string[];
}

/** The options, with the address and the prefix of all keys. @throws SessionError `configuration` */
export function parseClusterOptions(options: RedisClusterOptions): ClusterAddress {
  const parsed = parseOptions(
    schema.refine(
      ({ url, sentinels, sentinelName }) =>
        (url === undefined) === (sentinels !== undefined && sentinelName !== undefined),
      'needs either `url`, or `sentinels` and `sentinelName`',
    ),
    options,
    'The options of `redisCluster` are invalid',
  );
  const { keys, namespace, allowPersistence } = parsed;
  return { address: addressOf(parsed), prefix: `{${namespace}}`, keys, allowPersistence };
}

function addressOf({ url, sentinels = [], sentinelName = '', ...credentials }: Parsed): EngineAddress {
  if (url !== undefined) return { url };
  const { username, password, sentinelPassword } = credentials;
  return { sentinels, name: sentinelName, username, password, sentinelPassword };
}
