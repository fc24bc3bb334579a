import { SessionError, storeUnavailable } from '../../errors.js';
import { connectionTo } from './connections.js';
import { parseClusterOptions, type RedisClusterOptions } from './redis-cluster.js';

/** The ids of the master keys that an engine and its servers use. */
export interface MasterKeysInUse {
  /** The keys under which there may be records. Every server needs them. */
  readonly records: readonly string[];
  /** The keys of each server that runs, or was killed less than three minutes ago: the first is what it seals with. */
  readonly servers: readonly (readonly string[])[];
}

/**
 * Asks an engine which master keys are in use, such as before an old one is removed. Makes this process no server.
 * @param options as those of `redisCluster`
 * @throws SessionError `configuration` if the options are invalid, `store_unavailable` with the reason if the engine does
 * not answer
 */
export async function masterKeysInUse(options: RedisClusterOptions): Promise<MasterKeysInUse> {
  const { address, prefix } = parseClusterOptions(options);
  const connection = connectionTo(address);
  let reason: Error | undefined;
  // The first error. `connect` rejects with the last one, which names no reason.
  connection.on('error', (error: Error) => {
    reason ??= error;
    connection.disconnect();
  });
  try {
    await connection.connect();
    const [records, nodes, [seconds]] = await Promise.all([
      connection.smembers(`${prefix}:keys:used`),
      connection.hvals(`${prefix}:keys:nodes`),
      connection.time(),
    ]);
    const servers = nodes
      .map((node) => node.split(' '))
      .filter(([untilMs]) => Number(untilMs) > Number(seconds) * 1000)
      .map(([, ...ids]) => ids);
    return { records: records.sort(), servers };
  } catch (error) {
    const { message } = reason ?? (error instanceof Error ? error : storeUnavailable(error));
    throw new SessionError('store_unavailable', message || 'The engine cannot be reached.');
  } finally {
    connection.disconnect();
  }
}
