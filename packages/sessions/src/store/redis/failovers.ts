import type { RandomSource } from '../../vault/random.js';
import type { Engine } from './engine.js';
import type { RecentWrites } from './recent-writes.js';
import { isAbsent, listOf, numberIn, textIn } from './replies.js';
import type { Script } from './script.js';
import { NUMBERS_OF_A_RUN } from './scripts/session-keys.js';

/**
 * Notes which engine has the data. `engine` is a hash of the `run_id` of the engine, an id of its data, and the time of
 * the last failover. Writes after a failover have higher numbers than all that were made before, also than those that
 * were lost. Arguments: run id, a new id of the data. Answers the id of the data, and the time of the failover or nothing.
 */
const adoptRun: Script = {
  name: 'adopt-run',
  lua: `
local isEmpty = redis.call('HSETNX', P .. 'engine', 'data', ARGV[3]) == 1
if not isEmpty and redis.call('HGET', P .. 'engine', 'run') ~= ARGV[2] then
  redis.call('INCRBY', P .. 'seq', '${NUMBERS_OF_A_RUN}')
  redis.call('HSET', P .. 'engine', 'at', string.format('%.0f', now))
end
redis.call('HSET', P .. 'engine', 'run', ARGV[2])
return redis.call('HMGET', P .. 'engine', 'data', 'at')
`,
};

export interface FailoversOptions {
  readonly writes: RecentWrites;
  readonly random: RandomSource;
  /** Tells the operator how many writes a failover has lost. */
  readonly onFailover: (lost: number) => void;
}

/** Notices that another engine has taken over the data, and writes again what this node knows and that engine does not. */
export class Failovers {
  readonly #options: FailoversOptions;
  #runId: string | undefined;
  #data: string | undefined;
  #latestMs = Number.NEGATIVE_INFINITY;

  constructor(options: FailoversOptions) {
    this.#options = options;
  }

  /** When nodes began to use the engine after the last failover, in its time. `-Infinity`: never. */
  get latestMs(): number {
    return this.#latestMs;
  }

  /**
   * Looks which engine this is. Call it at every connection, before the stores use it.
   * @param runId changes with every start of an engine
   * @param lostAtMs when the stores used the engine last
   * @throws SessionError `store_unavailable`
   */
  async follow(engine: Engine, runId: string, lostAtMs: number): Promise<void> {
    const { writes, random, onFailover } = this.#options;
    const reply = await engine.run(adoptRun, [runId, random(16).toString('base64url')]);
    const [data, atMs] = listOf(reply);
    this.#latestMs = isAbsent(atMs) ? Number.NEGATIVE_INFINITY : numberIn(atMs);
    if (textIn(data) !== this.#data) {
      // The engine was emptied. What it has forgotten stays forgotten.
      writes.forget();
    } else if (runId !== this.#runId) {
      writes.prune(lostAtMs);
      onFailover(await writes.writeAgain(engine));
    }
    this.#data = textIn(data);
    this.#runId = runId;
  }
}
