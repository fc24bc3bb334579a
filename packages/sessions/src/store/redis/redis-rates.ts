import type { RateLimit, Rates } from '../../limits/rates.js';
import type { Engine } from './engine.js';
import { isAbsent, numberIn } from './replies.js';
import { takeRate } from './scripts/rates.js';
import type { SealedValues } from './sealed-values.js';

export interface RedisRatesOptions {
  readonly engine: Engine;
  readonly values: SealedValues;
}

/** Counts events in an engine that several nodes share. A key is kept until its bucket is full, a minute at most. */
export class RedisRates implements Rates {
  readonly #options: RedisRatesOptions;

  constructor(options: RedisRatesOptions) {
    this.#options = options;
  }

  take(limit: RateLimit, key: string): Promise<number | undefined> {
    return this.#run(limit, key, 1);
  }

  wait(limit: RateLimit, key: string): Promise<number | undefined> {
    return this.#run(limit, key, 0);
  }

  async #run({ name, perMinute }: RateLimit, key: string, count: 0 | 1): Promise<number | undefined> {
    const { engine, values } = this.#options;
    const reply = await engine.run(takeRate, [values.nameOf('rate', name, key), perMinute, count]);
    return isAbsent(reply) ? undefined : numberIn(reply);
  }
}
