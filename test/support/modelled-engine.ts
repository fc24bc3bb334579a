import { storeUnavailable } from '../../packages/sessions/src/errors.js';
import type { OneTimeStore } from '../../packages/sessions/src/limits/one-time-store.js';
import type { Rates } from '../../packages/sessions/src/limits/rates.js';
import type { AttemptStore } from '../../packages/sessions/src/login/attempt-store.js';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { Messages } from '../../packages/sessions/src/session/messages.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';
import { MapAttemptStore } from '../../packages/sessions/src/store/map-attempt-store.js';
import { MapOneTimeStore } from '../../packages/sessions/src/store/map-one-time-store.js';
import { MapRates } from '../../packages/sessions/src/store/map-rates.js';
import type { Ports } from '../../packages/sessions/src/store/ports.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { Deadlines } from '../../packages/sessions/src/time/deadlines.js';
import { MapSessionStore } from './map-session-store/map-session-store.js';
import type { NodeClock } from './node-clock.js';
import type { SeededRandom } from './seeded-random.js';

/** The time after which a call whose answer has not come is rejected, and takes no effect any more. */
const DEADLINE_MS = 1000;
/** More than a thousand clients have to ask at the same moment. */
const MAX_CALLS_AT_ONCE = 50_000;
/** How long an owned connection counts as in use after a visit by the node at which its client is present. */
const IN_USE_MS = 60_000;

/** What the engine keeps. */
export interface EngineStores {
  readonly sessions: SessionStore;
  readonly attempts: AttemptStore;
  readonly oneTime: OneTimeStore;
  readonly rates: Rates;
}

export interface ModelledEngineOptions {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  /** The maximum time that a message takes, in milliseconds, each way. `0`: it arrives before the clock moves. */
  readonly delayMs: number;
  /** The probability that a message is lost. */
  readonly losses: number;
  /** Whether nodes get copies of records, as over a network. Default: `true`. */
  readonly copies?: boolean;
  /** The map that keeps the sessions. Default: a new one. */
  readonly records?: Map<SessionRef, SessionRecord> | undefined;
  /** What runs the engine's timers. Default: `Deadlines` of the library. */
  readonly createDeadlines?:
    | ((clock: VirtualClock, onError: (error: unknown) => void) => Deadlines)
    | undefined;
  /** Replaces what the engine keeps with something that breaks its contract. */
  readonly wrap?: ((stores: EngineStores) => EngineStores) | undefined;
  /** Called when a call has had no answer for too long. */
  readonly onRejected?: ((method: string, args: readonly unknown[]) => void) | undefined;
  /** Whether a call can take effect after its rejection. No engine may do that. */
  readonly hasLateEffects?: boolean | undefined;
}

interface Node {
  readonly clock: NodeClock;
  readonly isPresent: (ref: SessionRef) => boolean;
}

/**
 * An engine that several nodes share, behind a network that delays, reorders and loses messages. It keeps its promises
 * as an adapter for a real one has to: a call settles within a second, and takes no effect after its rejection.
 */
export class ModelledEngine {
  readonly #options: ModelledEngineOptions;
  /** The timers of what is due. */
  readonly deadlines: Deadlines;
  readonly #stores: EngineStores;
  readonly #nodes = new Set<Node>();
  /** Until when owned connections count as in use. */
  readonly #inUse = new Map<SessionRef, number>();
  /** The node whose insertion takes place. */
  #inserting: Node | undefined;
  readonly #sessionsDue: DueQueue<SessionRef>;
  readonly #attemptsDue: DueQueue<Parameters<Parameters<AttemptStore['consumeDue']>[0]>[0]>;
  readonly #subscriptions = new Set<Subscription>();
  readonly #receivers = new Set<Receiver>();
  /** Whether the engine refuses all connections. */
  isDown = false;
  /** Whether no message is lost. */
  isCalm = false;
  /** The number of calls and answers in transit. */
  travelling = 0;
  #callsAtOnce = 0;
  #calledAtMs = 0;

  constructor(options: ModelledEngineOptions) {
    this.#options = options;
    const { clock, records = new Map<SessionRef, SessionRecord>(), wrap = (stores) => stores } = options;
    const { createDeadlines = (made, onError) => new Deadlines(made, onError) } = options;
    const deadlines = createDeadlines(clock, (error) => {
      throw error;
    });
    this.deadlines = deadlines;
    const isPresent = (ref: SessionRef) =>
      records.get(ref)?.kind === 'owned-connection'
        ? this.#isInUse(ref)
        : [...this.#nodes].some((node) => this.#isPresentAt(node, ref));
    this.#stores = wrap({
      sessions: new MapSessionStore({ clock, deadlines, isPresent, records }),
      attempts: new MapAttemptStore({ clock, deadlines }),
      oneTime: new MapOneTimeStore(clock),
      rates: new MapRates({ clock, deadlines }),
    });
    const { sessions, attempts } = this.#stores;
    const pick = <T>(items: readonly T[]) => options.random.pick(items);
    this.#sessionsDue = new DueQueue(pick, (run) => sessions.consumeDue(run));
    this.#attemptsDue = new DueQueue(pick, (run) => attempts.consumeDue(run));
  }

  /** The ports of one more node. @param isPresent whether the client of a session is present at this node */
  portsOf(
    clock: NodeClock,
    isPresent: Node['isPresent'],
  ): Ports & EngineStores & { readonly messages: Messages } {
    const node = { clock, isPresent };
    this.#nodes.add(node);
    const { attempts, oneTime, rates } = this.#stores;
    const sessions = this.#sessionsOf(node);
    const call: Call = (...called) => this.#call(clock, ...called);
    const send = (run: () => void) => this.#travel(() => clock.run(run));
    return {
      sessions: remote(sessions, call, { consumeDue: (run) => this.#sessionsDue.add({ clock, run, send }) }),
      attempts: remote(attempts, call, { consumeDue: (run) => this.#attemptsDue.add({ clock, run, send }) }),
      oneTime: remote(oneTime, call, {}),
      rates: remote(rates, call, {}),
      messages: this.#messagesOf(clock, send),
      outlivesProcess: true,
    };
  }

  /** The sessions as one node uses them: what it says of the presence of clients is true. */
  #sessionsOf(node: Node): SessionStore {
    const { sessions } = this.#stores;
    return new Proxy(sessions, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return (...args: unknown[]) => {
          if (name === 'insert') this.#inserting = node;
          if (name === 'visit') this.#visited(args[0] as SessionRef, node);
          return Reflect.apply(method, target, args);
        };
      },
    });
  }

  #visited(ref: SessionRef, node: Node): void {
    if (this.#isPresentAt(node, ref)) this.#inUse.set(ref, this.#options.clock.now() + IN_USE_MS);
    else this.#inUse.delete(ref);
  }

  /** Whether an owned connection is in use, as far as the engine and the node that inserts know. */
  #isInUse(ref: SessionRef): boolean {
    if ((this.#inUse.get(ref) ?? 0) > this.#options.clock.now()) return true;
    return this.#inserting !== undefined && this.#isPresentAt(this.#inserting, ref);
  }

  #isPresentAt({ clock, isPresent }: Node, ref: SessionRef): boolean {
    return !clock.hasCrashed && isPresent(ref);
  }

  #call(node: NodeClock, ...[name, method, args]: Parameters<Call>): Promise<unknown> {
    // The code of a crashed node still runs here. Nothing of it reaches the engine.
    if (node.hasCrashed) return new Promise(() => undefined);
    this.#assertProgress();
    const { copies = true, hasLateEffects = false, onRejected } = this.#options;
    const copy = copies ? copyOf : shallowCopyOf;
    const sent = args.map(copy);
    const notAfterMs = node.now() + DEADLINE_MS;
    return new Promise((resolve, reject) => {
      const cancel = node.after(DEADLINE_MS, () => {
        onRejected?.(name, args);
        reject(storeUnavailable(new LostError()));
      });
      const answer = (settle: () => void) =>
        this.#travel(() =>
          node.run(() => {
            cancel();
            settle();
          }),
        );
      this.#travel(() => {
        if (node.now() >= notAfterMs && !hasLateEffects) return;
        if (this.isDown) answer(() => reject(storeUnavailable(new LostError())));
        else void Promise.resolve(method(...sent)).then((value) => answer(() => resolve(copy(value))));
      });
    });
  }

  #messagesOf(node: NodeClock, send: (run: () => void) => void): Messages {
    return {
      publish: (topic) => {
        if (node.hasCrashed) return;
        for (const subscription of this.#subscriptions) {
          if (subscription.topic !== topic) continue;
          subscription.send(() => {
            if (this.#subscriptions.has(subscription)) subscription.run();
          });
        }
      },
      subscribe: (topic, run) => {
        const subscription: Subscription = { topic, run, send };
        this.#subscriptions.add(subscription);
        return () => void this.#subscriptions.delete(subscription);
      },
      send: (topic, content) => {
        if (node.hasCrashed) return;
        for (const receiver of this.#receivers)
          if (receiver.topic === topic && receiver.node !== node)
            receiver.send(() => receiver.run(structuredClone(content)));
      },
      receive: (topic, run) => void this.#receivers.add({ node, topic, run, send }),
    };
  }

  /** Delivers a message, late or never. */
  #travel(arrive: () => void): void {
    const { clock, random, delayMs, losses } = this.#options;
    if (!this.isCalm && random.chance(losses)) return;
    this.travelling++;
    const arriveNow = () => {
      this.travelling--;
      arrive();
    };
    if (delayMs > 0) clock.after(random.below(delayMs), arriveNow);
    else queueMicrotask(arriveNow);
  }

  #assertProgress(): void {
    const now = this.#options.clock.now();
    if (this.#calledAtMs !== now) this.#callsAtOnce = 0;
    this.#calledAtMs = now;
    if (++this.#callsAtOnce > MAX_CALLS_AT_ONCE) throw new Error('The engine is asked again and again.');
  }
}

interface Subscription {
  readonly topic: string;
  readonly run: () => void;
  readonly send: (run: () => void) => void;
}

/** What receives the content of messages at a node. */
interface Receiver {
  readonly node: NodeClock;
  readonly topic: string;
  readonly run: (content: unknown) => void;
  readonly send: (run: () => void) => void;
}

interface Consumer<Key> {
  readonly clock: NodeClock;
  readonly run: (key: Key) => void;
  readonly send: (run: () => void) => void;
}

/** Hands what is due over to one of several nodes. If the message is lost, it is due again. */
class DueQueue<Key> {
  readonly #pick: (consumers: readonly Consumer<Key>[]) => Consumer<Key>;
  readonly #consume: (run: (key: Key) => void) => () => void;
  readonly #consumers = new Set<Consumer<Key>>();
  #stop: (() => void) | undefined;

  constructor(
    pick: (consumers: readonly Consumer<Key>[]) => Consumer<Key>,
    consume: (run: (key: Key) => void) => () => void,
  ) {
    this.#pick = pick;
    this.#consume = consume;
  }

  /** @returns a function that removes the consumer */
  add(consumer: Consumer<Key>): () => void {
    this.#consumers.add(consumer);
    this.#stop ??= this.#consume((key) => this.#handOver(key));
    return () => this.#remove(consumer);
  }

  #handOver(key: Key): void {
    for (const consumer of this.#consumers) if (consumer.clock.hasCrashed) this.#remove(consumer);
    if (this.#consumers.size === 0) return;
    const consumer = this.#pick([...this.#consumers]);
    consumer.send(() => {
      if (this.#consumers.has(consumer)) consumer.run(key);
    });
  }

  #remove(consumer: Consumer<Key>): void {
    this.#consumers.delete(consumer);
    if (this.#consumers.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }
}

type Call = (
  name: string,
  method: (...args: unknown[]) => unknown,
  args: readonly unknown[],
) => Promise<unknown>;

/** A port whose methods are calls over the network, except those given. */
function remote<Port extends object>(port: Port, call: Call, own: Partial<Port>): Port {
  return new Proxy(port, {
    get: (target, name) => {
      const kept: unknown = Reflect.get(own, name);
      if (kept !== undefined) return kept;
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]) =>
        call(String(name), (...sent) => Reflect.apply(method, target, sent), args);
    },
  });
}

/** A copy with buffers of its own, so that wiping one does not wipe the other. */
function copyOf(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.concat([value]);
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, copyOf(field)]));
}

/** A copy whose buffers are the same. */
function shallowCopyOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : value;
}

/** A message that was lost on purpose. */
class LostError extends Error {
  override readonly name = 'LostError';
}
