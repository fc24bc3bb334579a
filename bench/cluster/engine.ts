import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from '../../test/support/redis-server.js';
import { pin, prioritize } from '../processors.js';
import { CLIENT_PROCESSOR, PRIORITY } from '../servers/running-server.js';

/** What an engine has used so far. */
export interface EngineUsage {
  /** The CPU time of its process, in microseconds. */
  readonly cpuMicros: number;
  readonly commands: number;
  /** The memory that it has allocated, in bytes. */
  readonly bytes: number;
}

/** A redis-server on the processor of the clients, so that the servers have theirs alone. */
export class BenchEngine {
  readonly #redis: RedisServer;
  readonly #admin: Redis;

  private constructor(redis: RedisServer) {
    this.#redis = redis;
    this.#admin = new Redis(redis.url);
  }

  static async start(): Promise<BenchEngine> {
    const redis = await startRedis();
    pin(redis.pid, CLIENT_PROCESSOR);
    prioritize(redis.pid, PRIORITY);
    return new BenchEngine(redis);
  }

  get url(): string {
    return this.#redis.url;
  }

  async usage(): Promise<EngineUsage> {
    const info = await this.#admin.info();
    const figure = (name: string) => {
      const value = new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1];
      if (value === undefined) throw new Error(`INFO has no ${name}.`);
      return Number(value);
    };
    return {
      cpuMicros: (figure('used_cpu_user') + figure('used_cpu_sys')) * 1e6,
      commands: figure('total_commands_processed'),
      bytes: figure('used_memory'),
    };
  }

  async version(): Promise<string> {
    return /^redis_version:(\S+)/m.exec(await this.#admin.info('server'))?.[1] ?? 'unknown';
  }

  async stop(): Promise<void> {
    this.#admin.disconnect();
    await this.#redis.stop();
  }
}
