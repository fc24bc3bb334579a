import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import { SessionError } from '../../errors.js';
import { systemClock } from '../../time/clock.js';
import { KeyHierarchy } from '../../vault/key-hierarchy.js';
import type { KeyRing } from '../../vault/key-ring.js';
import type { ClusterNode, JoinOptions } from '../cluster.js';
import type { CreatePorts } from '../ports.js';
import { ClusterMarker } from './cluster-marker.js';
import { connectionTo, type EngineAddress, replicaOf } from './connections.js';
import { Engine } from './engine.js';
import { checkPrimary, checkReplica, rightsWarnings } from './engine-checks.js';
import { EngineClock } from './engine-clock.js';
import { Failovers } from './failovers.js';
import { KeyRotation } from './key-rotation.js';
import { RecentWrites } from './recent-writes.js';
import { RedisAttemptStore } from './redis-attempt-store.js';
import { RedisMessages } from './redis-messages.js';
import { RedisOneTimeStore } from './redis-one-time-store.js';
import { RedisRates } from './redis-rates.js';
import { RedisSessionStore } from './redis-session-store.js';
import { SealedValues } from './sealed-values.js';
import { type PrimaryAddress, watchSentinels } from './sentinel-watch.js';

export interface RedisNodeOptions extends JoinOptions {
  readonly address: EngineAddress;
  readonly ring: KeyRing;
  readonly prefix: string;
  readonly allowPersistence: boolean;
  /** As that of `Engine`. */
  readonly deadlineMs?: number | undefined;
}

/** The time between two checks of the engine's settings. */
const CHECK_MS = 60_000;
/** The time between two looks at the engine's clock: a quartz drifts by less than a millisecond meanwhile. */
const CLOCK_MS = 10_000;
/** The number of looks for one with a short round trip. */
const MAX_LOOKS = 5;
/** The time between two attempts to use an engine that was refused or did not answer. */
const RETRY_MS = 1000;
/** How long a server waits for the engine when it begins to listen, as a number of looks. */
const MAX_WAITS = 40;
const WAIT_MS = 250;

/** One node of an engine: its connections, whether it may be used, and the stores on it. */
export class RedisNode implements ClusterNode {
  readonly name: string = `${hostname()}:${process.pid}`;
  readonly clock: EngineClock = new EngineClock();
  readonly keys: KeyHierarchy = new KeyHierarchy();
  readonly #options: RedisNodeOptions;
  readonly #commands: Redis;
  readonly #subscriber: Redis;
  readonly #unwatch: () => void;
  readonly #marker: ClusterMarker;
  readonly #rotation: KeyRotation;
  readonly #writes: RecentWrites;
  readonly #failovers: Failovers;
  readonly #values: SealedValues;
  readonly #engine: Engine;
  /** For the checks, while the stores may not use the engine. */
  readonly #unchecked: Engine;
  #problem: unknown = new Error('The engine has not been reached yet.');
  /** Whether the clock has followed the engine since the connection. Another engine may be behind the next one. */
  #isClockKnown = false;
  #isClosed = false;
  /** When the stores used the engine last, before they could not any more. */
  #lostAtMs = 0;
  /** Why there is no connection. */
  #connectionError = 'the connection was lost';
  #first: Promise<void> | undefined;
  #checking: Promise<void> | undefined;
  #cancelTimer: () => void = () => undefined;

  constructor(options: RedisNodeOptions) {
    this.#options = options;
    const { address, ring, random, prefix, deadlineMs, report } = options;
    this.#commands = connectionTo(address);
    this.#subscriber = connectionTo(address);
    let former: PrimaryAddress | undefined;
    this.#unwatch = watchSentinels(address, ({ from, to }) => {
      former = from;
      for (const connection of [this.#commands, this.#subscriber]) {
        // Another sentinel may have named it before. ioredis never connects again if it is interrupted in connecting.
        if (connection.status === 'ready' && !isAt(connection, to)) connection.disconnect(true);
      }
    });
    for (const connection of [this.#commands, this.#subscriber]) {
      // A sentinel that has not heard of the new primary may have named the former one.
      connection.on('ready', () => {
        if (former && isAt(connection, former)) connection.disconnect(true);
      });
    }
    this.#marker = new ClusterMarker({ ring, random, keys: this.keys });
    this.#rotation = new KeyRotation({
      ring,
      marker: this.#marker,
      random,
      timers: systemClock,
      localNow: () => this.clock.localNow(),
      report,
    });
    this.#values = new SealedValues(ring, this.keys);
    this.#writes = new RecentWrites(() => this.clock.localNow());
    const onFailover = (lost: number) =>
      report(
        'warn',
        `Another engine has taken over. It lacked ${lost} writes of this server, which are in it now.`,
      );
    this.#failovers = new Failovers({ writes: this.#writes, random, onFailover });
    const engine = { commands: this.#commands, clock: this.clock, prefix, deadlineMs };
    this.#engine = new Engine({ ...engine, isUsable: () => this.isReady });
    this.#unchecked = new Engine(engine);
    for (const connection of [this.#commands, this.#subscriber]) {
      // Errors are followed by `close`. Of several addresses, only the code of the error is known.
      connection.on('error', ({ message, code }: NodeJS.ErrnoException) => {
        this.#connectionError = message || (code ?? 'unknown error');
      });
      connection.connect().catch(() => undefined);
    }
    this.#commands.on('ready', () => {
      this.#connectionError = 'the connection was lost';
      void this.#check();
    });
    this.#commands.on('close', () => {
      this.#isClockKnown = false;
      this.#unusable(new Error(`${this.#where} cannot be reached: ${this.#connectionError}.`));
    });
  }

  get isReady(): boolean {
    return this.#problem === undefined && this.#rotation.isAnnounced && !this.#isClosed;
  }

  readonly createPorts: CreatePorts = ({ isPresent }) => {
    const { prefix, random } = this.#options;
    const [engine, values] = [this.#engine, this.#values];
    return {
      sessions: new RedisSessionStore({ engine, values, isPresent, writes: this.#writes }),
      attempts: new RedisAttemptStore({ engine, values }),
      oneTime: new RedisOneTimeStore({ engine, values }),
      rates: new RedisRates({ engine, values }),
      messages: new RedisMessages({
        commands: this.#commands,
        subscriber: this.#subscriber,
        values,
        prefix,
        random,
      }),
      outlivesProcess: true,
      failedOverAtMs: () => this.#failovers.latestMs,
    };
  };

  ready(): Promise<void> {
    this.#first ??= this.#awaitFirst();
    return this.#first;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    await this.#checking;
    this.#unwatch();
    await this.#rotation.stop();
    await this.#rotation.leave(this.#unchecked);
    this.#commands.disconnect();
    this.#subscriber.disconnect();
    this.#marker.wipe();
    this.#options.ring.wipe();
  }

  async #awaitFirst(): Promise<void> {
    for (let waits = 0; waits < MAX_WAITS && !this.#isClosed; waits++) {
      await this.#checking;
      if (this.isReady) return;
      if (isRefusal(this.#problem)) throw this.#problem;
      await new Promise<void>((resolve) => {
        setTimeout(resolve, WAIT_MS);
      });
    }
    const { sentinels } = this.#commands.options;
    const setting = sentinels ? '`sentinels`' : '`url`';
    // Without the problem as the cause: it may have the command that had no answer.
    const message = `${textOf(this.#problem)} Start the engine, or correct ${setting} of \`redisCluster\`.`;
    throw new SessionError('store_unavailable', message, { retryAfterSeconds: RETRY_MS / 1000 });
  }

  /** The engine in messages, without its credentials. */
  get #where(): string {
    const { host = 'localhost', port, sentinels } = this.#commands.options;
    const addresses = sentinels?.map((each) => `${each.host}:${each.port}`).join(', ');
    return addresses === undefined
      ? `The engine at ${host}:${port}`
      : `The engine behind the sentinels ${addresses}`;
  }

  /** Checks the engine, one check at a time, and again later. */
  #check(): Promise<void> {
    this.#checking ??= this.#checked().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #checked(): Promise<void> {
    if (this.#isClosed) return;
    this.#cancelTimer();
    try {
      await this.#followClock();
      const runId = await this.#checkSettings();
      if (!this.isReady) await this.#rotation.stop();
      const markerId = await this.#marker.adopt(this.#unchecked);
      const hasOldRecords = await this.#rotation.announce(this.#unchecked, markerId);
      await this.#failovers.follow(this.#unchecked, runId, this.#lostAtMs);
      this.#usable();
      if (hasOldRecords) this.#rotation.move(this.#engine);
      this.#after(CLOCK_MS, () => this.#look(CHECK_MS - CLOCK_MS));
    } catch (error) {
      this.#unusable(error);
      this.#after(RETRY_MS, () => void this.#check());
    }
  }

  /** Looks at the clock from time to time, until the next check. */
  #look(leftMs: number): void {
    this.#writes.prune();
    if (leftMs <= 0 || !this.#rotation.isAnnounced) return void this.#check();
    this.#followClock().then(
      () => this.#after(CLOCK_MS, () => this.#look(leftMs - CLOCK_MS)),
      () => this.#check(),
    );
  }

  #after(delayMs: number, run: () => void): void {
    this.#cancelTimer();
    if (this.#isClosed || this.#commands.status !== 'ready') return;
    this.#cancelTimer = systemClock.after(delayMs, run);
  }

  async #followClock(): Promise<void> {
    // A connection that only receives would not notice that the network drops everything. It is closed without an answer.
    this.#subscriber.ping().catch(() => undefined);
    for (let look = 0; look < MAX_LOOKS; look++) {
      const sentAtMs = this.clock.localNow();
      const [seconds, microseconds] = await this.#commands.time();
      const engineMs = Number(seconds) * 1000 + Number(microseconds) / 1000;
      const isPrecise = this.clock.set({ sentAtMs, engineMs, receivedAtMs: this.clock.localNow() });
      this.#isClockKnown ||= isPrecise;
      if (isPrecise) return;
    }
    // The clock of this process goes on meanwhile.
    if (!this.#isClockKnown) throw new Error('The engine answers too slowly for its clock to be followed.');
  }

  /** @returns the run id of the primary */
  async #checkSettings(): Promise<string> {
    const { allowPersistence, report } = this.#options;
    const { host = 'localhost', port, username, sentinels } = this.#commands.options;
    // Behind sentinels, the options have no address.
    const { remoteAddress, remotePort } = this.#commands.stream;
    const name = sentinels ? `${remoteAddress}:${remotePort}` : `${host}:${port}`;
    const primary = { name, commands: this.#commands };
    const { runId, replicas, warnings } = await checkPrimary(primary, allowPersistence);
    if (!this.isReady) {
      const ofRights = allowPersistence ? [] : await rightsWarnings(primary, username || 'default');
      for (const warning of [...warnings, ...ofRights]) report('warn', warning);
    }
    if (!allowPersistence) for (const address of replicas) await this.#checkReplica(address);
    return runId;
  }

  async #checkReplica(address: { readonly host: string; readonly port: number }): Promise<void> {
    const replica = replicaOf(this.#commands, address);
    replica.on('error', () => undefined);
    try {
      await replica.connect();
      await checkReplica({ name: `${address.host}:${address.port}`, commands: replica });
    } finally {
      replica.disconnect();
    }
  }

  #usable(): void {
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#options.report('info', 'The engine is used.');
  }

  #unusable(problem: unknown): void {
    const isNews = this.#problem === undefined || (isRefusal(problem) && !isRefusal(this.#problem));
    if (this.#problem === undefined) this.#lostAtMs = this.clock.localNow();
    this.#problem = problem;
    void this.#rotation.stop();
    if (this.#isClosed || !isNews) return;
    this.#options.report('error', `The engine is not used, and requests get 503. ${textOf(problem)}`);
  }
}

function isAt({ stream }: Redis, { host, port }: PrimaryAddress): boolean {
  return stream.remoteAddress === host && stream.remotePort === port;
}

function textOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}

/** Whether the operator has to change something. */
function isRefusal(problem: unknown): problem is SessionError {
  return problem instanceof SessionError && problem.code === 'configuration';
}
