import type { Clock } from '../time/clock.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import type { RandomSource } from '../vault/random.js';
import type { CreatePorts } from './ports.js';

/** What a node gets from the server that joins a cluster. */
export interface JoinOptions {
  readonly random: RandomSource;
  /** Tells the operator of a change of the engine: why it is not used, or that it is used again. */
  readonly report: (level: 'info' | 'warn' | 'error', message: string) => void;
  /** Called with errors that no caller waits for. */
  readonly onError: (error: unknown) => void;
}

/** The processes that share an engine. Made by `redisCluster` of `mcp-sessions/redis`. */
export interface Cluster {
  /** Internal: `createSessions` calls it. */
  readonly join: (options: never) => unknown;
}

/** What a {@link Cluster} is. */
export interface JoinableCluster extends Cluster {
  /** Makes this process a node, and begins to connect. Each server of a process is a node of its own. */
  readonly join: (options: JoinOptions) => ClusterNode;
}

/** One process among those that share an engine. */
export interface ClusterNode {
  /** Names this process in the logs of all nodes: its host and its process id. */
  readonly name: string;
  /** The time of the engine. */
  readonly clock: Clock;
  /** The keys of all nodes. Until the node is ready, they throw SessionError `store_unavailable`. */
  readonly keys: KeyHierarchy;
  readonly createPorts: CreatePorts;
  /** Whether the engine is used now. If not, every call of a store rejects at once. */
  readonly isReady: boolean;
  /**
   * Resolves when the engine is used for the first time.
   * @throws SessionError `configuration` if the engine must not be used, `store_unavailable` if it does not answer
   */
  ready(): Promise<void>;
  /** Disconnects. */
  close(): Promise<void>;
}
