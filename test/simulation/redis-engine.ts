import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';
import type { Ports } from '../../packages/sessions/src/store/ports.js';
import { Engine } from '../../packages/sessions/src/store/redis/engine.js';
import { EngineClock } from '../../packages/sessions/src/store/redis/engine-clock.js';
import { Failovers } from '../../packages/sessions/src/store/redis/failovers.js';
import { RecentWrites } from '../../packages/sessions/src/store/redis/recent-writes.js';
import { RedisAttemptStore } from '../../packages/sessions/src/store/redis/redis-attempt-store.js';
import { RedisMessages } from '../../packages/sessions/src/store/redis/redis-messages.js';
import { RedisOneTimeStore } from '../../packages/sessions/src/store/redis/redis-one-time-store.js';
import { RedisRates } from '../../packages/sessions/src/store/redis/redis-rates.js';
import { RedisSessionStore } from '../../packages/sessions/src/store/redis/redis-session-store.js';
import { SealedValues } from '../../packages/sessions/src/store/redis/sealed-values.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { KeyRing } from '../../packages/sessions/src/vault/key-ring.js';
import type { NodeClock } from '../support/node-clock.js';
import type { ModelReply } from '../support/redis-model/keyspace.js';
import { MODELLED_NOW, ModelledRedis, type ScriptCall } from '../support/redis-model/modelled-redis.js';
import { type NodeConnection, RedisNetwork } from '../support/redis-model/redis-network.js';
import type { SeededRandom } from '../support/seeded-random.js';
import type { EngineObserver, JoinedNode, SharedEngine } from './shared-engine.js';

export interface RedisEngineOptions {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly delayMs: number;
  readonly losses: number;
  readonly keys: KeyHierarchy;
  readonly observer: EngineObserver;
  readonly wrapStore: (store: SessionStore, clock: VirtualClock) => SessionStore;
  /** Replaces the ports of each node. */
  readonly wrapPorts: (ports: Ports) => Ports;
  /** Changes the text of scripts. */
  readonly patchScripts: ((lua: string) => string) | undefined;
}

const PREFIX = '{ms}';
const SESSION_KEY = `${PREFIX}:s:`;
const INDEX_KEY = `${PREFIX}:i:`;
const SECOND = 1000;
/** The time between two looks at the clock of the engine, as in `RedisNode`. */
const CLOCK_MS = 10 * SECOND;
const RETRY_MS = SECOND;
/** As long as a call waits for its answer. */
const DEADLINE_MS = SECOND;
const LONGEST_SILENCE_MS = 10 * SECOND;
/** The newest writes of a failover that are lost. */
const LONGEST_LAG_MS = 5 * SECOND;
/** The difference between the clocks of two engines. */
const LARGEST_JUMP_MS = 200;
/** Scripts and commands that nodes run all the time. */
const BACKGROUND = /^(?:due-sessions|due-attempts|visit-session|TIME|PUBLISH)$/;
/** Numbers that only grow, and what is known of the engine. */
const KEPT = [`${PREFIX}:seq`, `${PREFIX}:attempts:seq`, `${PREFIX}:engine`];

/** The adapter for Redis, on an engine that is silent, is restarted and fails over from time to time. */
export class RedisEngine implements SharedEngine {
  readonly #options: RedisEngineOptions;
  readonly #redis: ModelledRedis;
  readonly #network: RedisNetwork;
  readonly #values: SealedValues;
  readonly #opened = new Map<string, SessionRecord>();
  /** When each session was written last. */
  readonly #writtenAtMs = new Map<SessionRef, number>();
  /** The number of engines that there have been. */
  #run = 1;
  /** How far the clock of this engine is ahead. */
  #aheadMs = 0;
  #isFailingOver = false;
  #isCalm = false;

  constructor(options: RedisEngineOptions) {
    this.#options = options;
    const { clock, random, delayMs, losses, keys, patchScripts } = options;
    const ring = new KeyRing([{ id: 'a', bytes: random.bytes(32) }], random.bytes);
    this.#values = new SealedValues(ring, keys);
    this.#redis = new ModelledRedis({ now: () => clock.now() + this.#aheadMs, patch: patchScripts });
    this.#redis.around = (script, run) => this.#observe(script, run);
    this.#network = new RedisNetwork({
      clock,
      random,
      redis: this.#redis,
      delayMs: delayMs + 1,
      losses,
      delays: losses / 2,
      isBackground: (command, args) => BACKGROUND.test(this.#redis.nameOf(command, args)),
    });
  }

  get travelling(): number {
    return this.#network.travelling;
  }

  get records(): ReadonlyMap<SessionRef, SessionRecord> {
    const records = new Map<SessionRef, SessionRecord>();
    for (const key of this.#redis.keyspace.keys()) {
      if (!key.startsWith(SESSION_KEY)) continue;
      // Only references are in such keys.
      const ref = key.slice(SESSION_KEY.length) as SessionRef;
      const record = this.#recordOf(ref, this.#redis.keyspace.run('HMGET', [key, 'v', 'q', 'd', 'r']));
      if (record) records.set(ref, record);
    }
    return records;
  }

  join(node: NodeClock): JoinedNode {
    const { random, wrapStore, wrapPorts, clock: virtual } = this.#options;
    const connection = this.#network.connect(node);
    const clock = new EngineClock(node, node.wallNow);
    const writes = new RecentWrites(() => clock.localNow());
    const failovers = new Failovers({ writes, random: random.bytes, onFailover: () => undefined });
    const state = { isUsable: false, lostAtMs: 0 };
    clock.set({ sentAtMs: node.now(), engineMs: virtual.now() + this.#aheadMs, receivedAtMs: node.now() });
    const engineOptions = { commands: connection, clock, prefix: PREFIX, now: MODELLED_NOW, timers: node };
    const unchecked = new Engine(engineOptions);
    const engine = new Engine({ ...engineOptions, isUsable: () => state.isUsable });
    const follow = () => failovers.follow(unchecked, String(this.#run), state.lostAtMs);
    this.#connect(node, { clock, connection, state, follow });
    const values = this.#values;
    return {
      clock,
      followsOthers: true,
      createPorts: ({ isPresent }) =>
        wrapPorts({
          sessions: wrapStore(
            this.#notingRemovals(new RedisSessionStore({ engine, values, isPresent, writes })),
            virtual,
          ),
          attempts: new RedisAttemptStore({ engine, values }),
          oneTime: new RedisOneTimeStore({ engine, values }),
          rates: new RedisRates({ engine, values }),
          messages: new RedisMessages({
            commands: connection,
            subscriber: connection.subscriber,
            values,
            prefix: PREFIX,
            random: random.bytes,
          }),
          outlivesProcess: true,
          failedOverAtMs: () => failovers.latestMs,
        }),
    };
  }

  calmDown(): void {
    this.#isCalm = true;
    this.#network.isCalm = true;
  }

  disturb(): void {
    const { random } = this.#options;
    if (random.chance(0.004)) {
      this.#network.silence(random.below(LONGEST_SILENCE_MS));
      this.#options.observer.lost(new Set());
    }
    if (random.chance(0.001)) this.#restart();
    if (random.chance(0.002)) this.#failOver();
  }

  contradiction(): string | undefined {
    const { keyspace } = this.#redis;
    const textOf = (reply: ModelReply) => (typeof reply === 'string' ? reply : '');
    for (const key of keyspace.keys()) {
      if (key.startsWith(SESSION_KEY)) {
        const isDueEver = Number(textOf(keyspace.run('HGET', [key, 'd']))) < Number.POSITIVE_INFINITY;
        const dueAt = keyspace.run('ZSCORE', [`${PREFIX}:due`, key.slice(SESSION_KEY.length)]);
        if (isDueEver && dueAt === undefined) return 'A session is due that is in no queue.';
      }
      if (!key.startsWith(INDEX_KEY)) continue;
      // A list of references.
      for (const ref of keyspace.run('ZRANGE', [key, '0', '-1']) as readonly string[]) {
        const names = textOf(keyspace.run('HGET', [`${SESSION_KEY}${ref}`, 'i'])).split(' ');
        if (!names.includes(key.slice(INDEX_KEY.length)))
          return 'An index has a session that is not of its key.';
      }
    }
    return undefined;
  }

  leftovers(): Readonly<Record<string, number>> {
    const { keyspace } = this.#redis;
    const left = keyspace
      .keys()
      .filter(
        (key) => !KEPT.includes(key) && !(key === `${PREFIX}:anon` && keyspace.run('GET', [key]) === '0'),
      );
    const kinds = left.map((key) => `keys like ${key.split(':').slice(0, 2).join(':')}`);
    return Object.fromEntries(kinds.map((kind) => [kind, kinds.filter((each) => each === kind).length]));
  }

  /** The engine begins again with nothing. */
  #restart(): void {
    this.#run++;
    this.#redis.restart();
    this.#network.disconnect();
    this.#options.observer.lost(new Set(this.#writtenAtMs.keys()));
  }

  /** The primary dies some seconds after its last write that the next one has received. */
  #failOver(): void {
    if (this.#isFailingOver) return;
    this.#isFailingOver = true;
    const { clock, random, observer } = this.#options;
    const forgetSince = this.#redis.keyspace.snapshot();
    const sinceMs = clock.now();
    clock.after(random.below(LONGEST_LAG_MS), () => {
      this.#isFailingOver = false;
      if (this.#isCalm) return;
      this.#run++;
      forgetSince();
      this.#aheadMs = random.below(2 * LARGEST_JUMP_MS) - LARGEST_JUMP_MS;
      this.#network.disconnect();
      const lost = [...this.#writtenAtMs].filter(([, atMs]) => atMs >= sinceMs).map(([ref]) => ref);
      observer.lost(new Set(lost));
    });
  }

  /** As `RedisNode`: uses an engine when its clock is known, and what a failover has lost is written again. */
  #connect(node: NodeClock, { clock, connection, state, follow }: Following): void {
    let connections = 0;
    const later = (delayMs: number, run: () => void) => {
      const of = connections;
      node.after(delayMs, () => {
        if (of === connections) run();
      });
    };
    const check = async (): Promise<void> => {
      const of = connections;
      try {
        if (!(await this.#followClock(node, clock, connection))) throw new Error('The clock is not known.');
        if (!state.isUsable) await follow();
        if (of !== connections) return;
        state.isUsable = true;
        later(CLOCK_MS, check);
      } catch {
        if (of === connections) later(RETRY_MS, check);
      }
    };
    connection.onLost(() => {
      connections++;
      if (state.isUsable) state.lostAtMs = clock.localNow();
      state.isUsable = false;
    });
    connection.onReconnected(() => void check());
    void check();
  }

  async #followClock(node: NodeClock, clock: EngineClock, connection: NodeConnection): Promise<boolean> {
    const sentAtMs = clock.localNow();
    const time = await Promise.race([
      connection.callBuffer('TIME', []).catch(() => undefined),
      new Promise<undefined>((resolve) => void node.after(DEADLINE_MS, () => resolve(undefined))),
    ]);
    const receivedAtMs = clock.localNow();
    return time !== undefined && clock.set({ sentAtMs, engineMs: Number(String(time)), receivedAtMs });
  }

  /** Notes the removals whose answers are lost. */
  #notingRemovals(store: RedisSessionStore): RedisSessionStore {
    const take = store.take.bind(store);
    store.take = (ref, reason) =>
      take(ref, reason).catch((error: unknown) => {
        this.#options.observer.removedPerhaps(ref);
        throw error;
      });
    return store;
  }

  #observe({ name, args }: ScriptCall, run: () => ModelReply): ModelReply {
    const { observer, clock } = this.#options;
    // The first argument of all scripts is their deadline.
    const [, ref, ...fields] = args as [string, SessionRef, ...string[]];
    const [ifVersion, version, lastRequestAtMs, dueAtMs, sealed] = fields;
    const next =
      name === 'replace-session'
        ? this.#recordOf(ref, [version, lastRequestAtMs, dueAtMs, sealed])
        : undefined;
    const replaced = next && observer.replacing(next, Number(ifVersion));
    const sizeBefore = name === 'insert-session' ? this.records.size : 0;
    const reply = run();
    if (clock.now() - this.#network.sentAtMs > DEADLINE_MS) observer.tookEffectLate(name);
    if (name === 'replace-session' && Number(reply) > 0) replaced?.();
    if (name === 'insert-session') observer.inserted(sizeBefore);
    if (name.endsWith('-session') && name !== 'visit-session') this.#writtenAtMs.set(ref, clock.now());
    return reply;
  }

  #recordOf(ref: SessionRef, fields: ModelReply): SessionRecord | undefined {
    // Of a list, as HMGET answers it.
    const [version, lastRequestAtMs, dueAtMs, sealed] = fields as readonly (string | undefined)[];
    if (version === undefined || sealed === undefined) return undefined;
    const opened = this.#opened.get(sealed) ?? this.#open(ref, sealed);
    const numbers = {
      version: Number(version),
      lastRequestAtMs: Number(lastRequestAtMs),
      dueAtMs: Number(dueAtMs),
    };
    return { ...opened, ref, ...numbers };
  }

  #open(ref: SessionRef, sealed: string): SessionRecord {
    // Only sessions are sealed as such.
    const opened = this.#values.open('session', ref, Buffer.from(sealed, 'latin1')) as SessionRecord;
    this.#opened.set(sealed, opened);
    return opened;
  }
}

interface Following {
  readonly clock: EngineClock;
  readonly connection: NodeConnection;
  readonly state: { isUsable: boolean; lostAtMs: number };
  /** Finds out whether another engine has taken over. */
  readonly follow: () => Promise<void>;
}
