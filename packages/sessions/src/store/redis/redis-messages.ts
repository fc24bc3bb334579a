import type { Messages } from '../../session/messages.js';
import type { RandomSource } from '../../vault/random.js';
import { LocalMessages } from '../local-messages.js';
import type { Commands } from './engine.js';
import type { SealedValues } from './sealed-values.js';

/** The part of the client library that receives messages, on a connection of its own. */
interface Subscriber {
  subscribe(channel: string): Promise<unknown>;
  on(event: 'messageBuffer', run: (channel: Buffer, message: Buffer) => void): unknown;
  /** After every connection, also a new one. */
  on(event: 'ready', run: () => void): unknown;
}

export interface RedisMessagesOptions {
  readonly commands: Commands;
  readonly subscriber: Subscriber;
  readonly values: SealedValues;
  readonly prefix: string;
  readonly random: RandomSource;
}

/**
 * Messages through an engine. A message is a random id of the node, and the HMAC of its topic. Messages of this node are delivered in the tick in
 * which they are published, also while the engine is down. Those of others are lost while the connection is: after
 * that, every subscription is called, because its topic may have changed.
 */
export class RedisMessages implements Messages {
  readonly #options: RedisMessagesOptions;
  readonly #local = new LocalMessages();
  readonly #channel: string;
  /** The topics with a subscription here, by their names in the engine, with the number of subscriptions. */
  readonly #topics = new Map<string, { readonly topic: string; count: number }>();
  /** Tells the messages of this node, which come back, from those of others. */
  readonly #node: string;
  #wasConnected = false;
  #onConnected: () => void = () => undefined;
  /** Resolves when messages are received for the first time. */
  readonly connected: Promise<void> = new Promise((resolve) => {
    this.#onConnected = resolve;
  });

  constructor(options: RedisMessagesOptions) {
    this.#options = options;
    const { subscriber, prefix, random } = options;
    this.#node = random(8).toString('base64url');
    this.#channel = `${prefix}:messages:1`;
    subscriber.on('messageBuffer', (_channel, message) => this.#receive(message.toString()));
    subscriber.on('ready', () => void this.#connected());
  }

  publish(topic: string): void {
    this.#local.publish(topic);
    void this.#send(topic);
  }

  subscribe(topic: string, run: () => void): () => void {
    const unsubscribe = this.#local.subscribe(topic, run);
    const name = this.#nameOf(topic);
    const known = this.#topics.get(name) ?? { topic, count: 0 };
    known.count++;
    this.#topics.set(name, known);
    let isSubscribed = true;
    return () => {
      unsubscribe();
      if (isSubscribed && --known.count === 0) this.#topics.delete(name);
      isSubscribed = false;
    };
  }

  async #send(topic: string): Promise<void> {
    try {
      const message = `${this.#node} ${this.#nameOf(topic)}`;
      await this.#options.commands.callBuffer('PUBLISH', [this.#channel, message]);
    } catch {
      // Receivers read what the message is about from time to time.
    }
  }

  #receive(message: string): void {
    const [node, name = ''] = message.split(' ');
    if (node === this.#node) return;
    const known = this.#topics.get(name);
    if (known) this.#local.publish(known.topic);
  }

  async #connected(): Promise<void> {
    try {
      await this.#options.subscriber.subscribe(this.#channel);
    } catch {
      // The connection has been lost again. It is ready once more later.
      return;
    }
    if (this.#wasConnected) for (const { topic } of [...this.#topics.values()]) this.#local.publish(topic);
    this.#wasConnected = true;
    this.#onConnected();
  }

  #nameOf(topic: string): string {
    return this.#options.values.nameOf('topic', topic);
  }
}
