import type { Commands, Reply } from '../../../packages/sessions/src/store/redis/engine.js';
import type { RedisMessagesOptions } from '../../../packages/sessions/src/store/redis/redis-messages.js';
import type { VirtualClock } from '../../../packages/sessions/src/testing/virtual-clock.js';
import type { NodeClock } from '../node-clock.js';
import type { SeededRandom } from '../seeded-random.js';
import type { ModelledRedis } from './modelled-redis.js';

export interface RedisNetworkOptions {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly redis: ModelledRedis;
  /** The maximum time that a command or a reply takes, in milliseconds. */
  readonly delayMs: number;
  /** The probability that a command, a reply or a message is lost. */
  readonly losses: number;
  /** The probability that one takes seconds longer. */
  readonly delays: number;
  /** Whether a command is one that nodes send all the time, and no caller waits for. */
  readonly isBackground: (command: string, args: readonly unknown[]) => boolean;
}

type Subscriber = RedisMessagesOptions['subscriber'];
type Arguments = Parameters<Commands['callBuffer']>[1];

interface Connection {
  readonly node: NodeClock;
  readonly subscriber: SimulatedSubscriber;
  isOpen: boolean;
  lost: () => void;
  reconnected: () => void;
}

/** The connections of a node. */
export interface NodeConnection extends Commands {
  readonly subscriber: Subscriber;
  /** Calls `run` whenever the connection is lost. */
  onLost(run: () => void): void;
  /** Calls `run` whenever there is a new connection after one that was lost. */
  onReconnected(run: () => void): void;
}

const LONGEST_DELAY_MS = 6000;
const LONGEST_RECONNECTION_MS = 1000;

/** The network between nodes and an engine: it delays, reorders and loses commands, replies and messages. */
export class RedisNetwork {
  readonly #options: RedisNetworkOptions;
  readonly #connections = new Set<Connection>();
  /** Until when the engine does nothing. */
  #silentUntilMs = 0;
  /** The number of times that all connections have been lost. */
  #breaks = 0;
  /** Whether nothing is lost, and nothing takes seconds. */
  isCalm = false;
  /** The number of commands and replies in transit. */
  travelling = 0;
  /** When the command that runs now was sent. */
  sentAtMs = 0;

  constructor(options: RedisNetworkOptions) {
    this.#options = options;
  }

  connect(node: NodeClock): NodeConnection {
    const subscriber = new SimulatedSubscriber(node);
    const connection: Connection = {
      node,
      subscriber,
      isOpen: true,
      lost: () => undefined,
      reconnected: () => undefined,
    };
    this.#connections.add(connection);
    queueMicrotask(() => subscriber.isReady());
    return {
      callBuffer: (command, args) => this.#call(connection, command, args),
      subscriber,
      onLost: (run) => {
        connection.lost = run;
      },
      onReconnected: (run) => {
        connection.reconnected = run;
      },
    };
  }

  /** The engine does nothing for a while, as after SIGSTOP. What has come meanwhile is done afterwards. */
  silence(durationMs: number): void {
    this.#silentUntilMs = this.#options.clock.now() + durationMs;
  }

  /** All connections are lost, with what is on its way in them. */
  disconnect(): void {
    this.#breaks++;
    for (const connection of this.#connections) this.#lose(connection);
  }

  #lose(connection: Connection): void {
    const { clock, random } = this.#options;
    const { node, subscriber } = connection;
    connection.isOpen = false;
    subscriber.isSubscribed = false;
    // A node that is stopped does not notice it, and does nothing meanwhile.
    connection.lost();
    const breaks = this.#breaks;
    clock.after(random.below(LONGEST_RECONNECTION_MS), () =>
      node.run(() => {
        if (breaks !== this.#breaks) return;
        connection.isOpen = true;
        connection.reconnected();
        subscriber.isReady();
      }),
    );
  }

  #call({ node, isOpen }: Connection, command: string, args: Arguments): Promise<Reply> {
    // The code of a crashed node still runs here. Nothing of it reaches the engine.
    if (node.hasCrashed) return new Promise(() => undefined);
    if (!isOpen) return Promise.reject(new Error('Connection is closed.'));
    const sent = args.map((each) => (Buffer.isBuffer(each) ? Buffer.concat([each]) : each));
    const sentAtMs = this.#options.clock.now();
    const isBackground = this.#options.isBackground(command, args);
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void) => this.#travel(isBackground, () => node.run(settle));
      this.#travel(isBackground, () =>
        this.#whenAwake(() => {
          this.sentAtMs = sentAtMs;
          try {
            const reply =
              command === 'PUBLISH' ? this.#publish(sent) : this.#options.redis.run(command, sent);
            answer(() => resolve(reply));
          } catch (error) {
            answer(() => reject(error));
          }
        }),
      );
    });
  }

  #publish([channel, message]: readonly unknown[]): number {
    const [to, text] = [Buffer.from(String(channel)), Buffer.from(String(message))];
    const subscribers = [...this.#connections].map(({ subscriber }) => subscriber);
    const receivers = subscribers.filter(({ isSubscribed }) => isSubscribed);
    for (const receiver of receivers) this.#travel(true, () => receiver.receive(to, text));
    return receivers.length;
  }

  #whenAwake(run: () => void): void {
    const { clock } = this.#options;
    const waitMs = this.#silentUntilMs - clock.now();
    const breaks = this.#breaks;
    if (waitMs <= 0) run();
    else
      clock.after(waitMs, () => {
        if (breaks === this.#breaks) this.#whenAwake(run);
      });
  }

  #travel(isBackground: boolean, arrive: () => void): void {
    const { clock, random, delayMs, losses, delays } = this.#options;
    if (!this.isCalm && random.chance(losses)) return;
    const isDelayed = !this.isCalm && random.chance(delays);
    const count = isBackground ? 0 : 1;
    this.travelling += count;
    const breaks = this.#breaks;
    clock.after(random.below(isDelayed ? LONGEST_DELAY_MS : delayMs), () => {
      this.travelling -= count;
      if (breaks === this.#breaks) arrive();
    });
  }
}

/** The connection of a node that receives messages. */
class SimulatedSubscriber implements Subscriber {
  readonly #node: NodeClock;
  #onMessage: (channel: Buffer, message: Buffer) => void = () => undefined;
  #onReady: () => void = () => undefined;
  isSubscribed = false;

  constructor(node: NodeClock) {
    this.#node = node;
  }

  async subscribe(): Promise<void> {
    this.isSubscribed = true;
  }

  on(
    ...[event, run]: ['messageBuffer', (channel: Buffer, message: Buffer) => void] | ['ready', () => void]
  ): void {
    if (event === 'messageBuffer') this.#onMessage = run;
    else this.#onReady = run;
  }

  isReady(): void {
    this.#onReady();
  }

  receive(channel: Buffer, message: Buffer): void {
    this.#node.run(() => this.#onMessage(channel, message));
  }
}
