import type { Redis } from 'ioredis';
import type { Engine } from '../../packages/sessions/src/store/redis/engine.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';

/** The longest step in which a call to the engine is not too late. */
const STEP_MS = 400;

/** A clock that a real engine follows: its scripts read the time from a key. */
export class RedisTime extends VirtualClock {
  /** The Lua expression for the time. */
  readonly lua: string = `tonumber(redis.call('GET', P .. 'time'))`;
  readonly engines: Engine[] = [];
  readonly #redis: Redis;
  readonly #key: string;
  readonly #delivered: () => Promise<unknown>;

  /** @param delivered resolves when what was published has been delivered */
  constructor(redis: Redis, prefix: string, delivered: () => Promise<unknown> = async () => undefined) {
    super();
    this.#redis = redis;
    this.#key = `${prefix}:time`;
    this.#delivered = delivered;
    void redis.set(this.#key, '0');
  }

  override async advance(durationMs: number): Promise<void> {
    const endMs = this.now() + durationMs;
    await this.#settle();
    do {
      // Nothing calls the engine on the way if there is no timer.
      const stepMs = this.timers === 0 ? endMs - this.now() : Math.min(STEP_MS, endMs - this.now());
      await this.#redis.set(this.#key, String(this.now() + stepMs));
      await super.advance(stepMs);
      await this.#settle();
    } while (this.now() < endMs);
  }

  async #settle(): Promise<void> {
    await super.advance(0);
    while (this.engines.some(({ calls }) => calls > 0)) await super.advance(0);
    await this.#delivered();
    await super.advance(0);
  }
}
