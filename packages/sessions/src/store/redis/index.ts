/**
 * Sessions that several processes share: {@link redisCluster} is the option `cluster` of `createSessions`.
 *
 * @module mcp-sessions/redis
 */
export type { Cluster } from '../cluster.js';
export { leastRights } from './least-rights.js';
export { type MasterKeysInUse, masterKeysInUse } from './master-keys-in-use.js';
export { type RedisClusterOptions, redisCluster } from './redis-cluster.js';
