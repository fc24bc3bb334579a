import { Redis, type RedisOptions } from 'ioredis';
import type { ReplicaAddress } from './engine-checks.js';

/** Where an engine is. */
export type EngineAddress =
  /** `redis://user:password@host:port`, or `rediss://` with TLS. */
  | { readonly url: string }
  | {
      readonly sentinels: readonly { readonly host: string; readonly port: number }[];
      /** The name of the primary at the sentinels. */
      readonly name: string;
      readonly username?: string | undefined;
      readonly password?: string | undefined;
      readonly sentinelPassword?: string | undefined;
      readonly tls?: RedisOptions['tls'];
    };

/** A command that had no answer is not sent again: it may have taken effect. The callers read what is true. */
const SETTINGS = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  // `Engine` ends calls itself. What it has given up is forgotten with the connection.
  socketTimeout: 5000,
  connectTimeout: 5000,
  disableClientInfo: true,
  retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times, 5), 1000),
  // After a failover, the old primary refuses to write.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} as const satisfies RedisOptions;

/** Makes a connection that is not open yet. It connects again by itself. */
export function connectionTo(address: EngineAddress): Redis {
  if ('url' in address) return new Redis(address.url, SETTINGS);
  const { sentinels, name, username, password, sentinelPassword, tls } = address;
  return new Redis({
    ...SETTINGS,
    sentinels: [...sentinels],
    name,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls && { tls }),
  });
}

/** Makes connections to the sentinels of an engine, for messages. They connect again by themselves. */
export function connectionsToSentinels(address: EngineAddress): Redis[] {
  if ('url' in address) return [];
  const { sentinels, sentinelPassword: password } = address;
  return sentinels.map(
    (sentinel) => new Redis({ ...SETTINGS, ...sentinel, ...(password !== undefined && { password }) }),
  );
}

/** Makes a connection to a replica, with the credentials of its primary. */
export function replicaOf(primary: Redis, { host, port }: ReplicaAddress): Redis {
  const { username, password, tls } = primary.options;
  return new Redis({
    ...SETTINGS,
    host,
    port,
    retryStrategy: () => null,
    ...(username !== undefined && username !== null && { username }),
    ...(password !== undefined && password !== null && { password }),
    ...(tls && { tls }),
  });
}
