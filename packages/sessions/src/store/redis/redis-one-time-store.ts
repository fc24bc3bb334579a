import type { OneTimeQuota, OneTimeStore, UsedName } from '../../limits/one-time-store.js';
import type { Engine } from './engine.js';
import { issueName, redeemName, releaseName, useName } from './scripts/one-time.js';
import type { SealedValues } from './sealed-values.js';

export interface RedisOneTimeStoreOptions {
  readonly engine: Engine;
  readonly values: SealedValues;
}

/** Keeps names in an engine that several nodes share, as HMACs. */
export class RedisOneTimeStore implements OneTimeStore {
  readonly #options: RedisOneTimeStoreOptions;

  constructor(options: RedisOneTimeStoreOptions) {
    this.#options = options;
  }

  async issue(name: string, { session, client }: OneTimeQuota, untilMs: number): Promise<void> {
    const { engine, values } = this.#options;
    const quota = [values.nameOf('once-session', session), values.nameOf('once-client', client)];
    await engine.run(issueName, [values.nameOf('once', name), ...quota, untilMs]);
  }

  async redeem(name: string): Promise<boolean> {
    const { engine, values } = this.#options;
    return (await engine.run(redeemName, [values.nameOf('once', name)])) === 1;
  }

  async use(used: UsedName, untilMs: number): Promise<boolean> {
    return (await this.#options.engine.run(useName, [...this.#namesOf(used), untilMs])) === 1;
  }

  async release(used: UsedName): Promise<void> {
    await this.#options.engine.run(releaseName, this.#namesOf(used));
  }

  #namesOf({ issuer, name }: UsedName): string[] {
    const { values } = this.#options;
    return [values.nameOf('used-issuer', issuer), values.nameOf('used', issuer, name)];
  }
}
