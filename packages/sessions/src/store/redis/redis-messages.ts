import { MAX_CONTENT_BYTES, type Messages } from '../../session/messages.js';
import { secretBytes } from '../../vault/memory.js';
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

/** Longer messages are not read. Sealed and in base64, content takes about a third more. */
const MAX_MESSAGE_BYTES = 2 * MAX_CONTENT_BYTES;
/** Stands before sealed content, where other messages have the HMAC of a topic. */
const SEALED = '=';

/**
 * Messages through an engine. A message is a random id of the node, and the HMAC of its topic; or that id, and topic and
 * content, sealed. Messages of this node are delivered in the tick in which they are published, also while the engine is
 * down. Those of others are lost while the connection is: after that, every subscription is called, because its topic
 * may have changed.
 */
export class RedisMessages implements Messages {
  readonly #options: RedisMessagesOptions;
  readonly #local = new LocalMessages();
  readonly #channel: string;
  /** The topics with a subscription here, by their names in the engine, with the number of subscriptions. */
  readonly #topics = new Map<string, { readonly topic: string; count: number }>();
  /** What receives the content of messages, by topic. */
  readonly #receivers = new Map<string, (content: unknown) => void>();
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
    subscriber.on('messageBuffer', (_channel, message) => this.#receive(message));
    subscriber.on('ready', () => void this.#connected());
  }

  publish(topic: string): void {
    this.#local.publish(topic);
    void this.#publish(() => this.#nameOf(topic));
  }

  send(topic: string, content: object): void {
    if (Buffer.byteLength(JSON.stringify(content)) > MAX_CONTENT_BYTES) return;
    void this.#publish(() => {
      const sealed = this.#options.values.seal('message', this.#node, { topic, content });
      return `${SEALED} ${sealed.toString('base64')}`;
    });
  }

  receive(topic: string, run: (content: unknown) => void): void {
    this.#receivers.set(topic, run);
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

  /** @param textOf the message; it throws while the keys of the cluster are not known */
  async #publish(textOf: () => string): Promise<void> {
    try {
      await this.#options.commands.callBuffer('PUBLISH', [this.#channel, `${this.#node} ${textOf()}`]);
    } catch {
      // Receivers read what the message is about from time to time, or do without it.
    }
  }

  #receive(message: Buffer): void {
    if (message.length > MAX_MESSAGE_BYTES) return;
    const [node = '', name = '', sealed = ''] = message.toString().split(' ');
    if (node === this.#node) return;
    const known = this.#topics.get(name);
    if (known) this.#local.publish(known.topic);
    if (name === SEALED) this.#open(node, sealed);
  }

  #open(node: string, sealed: string): void {
    try {
      // Only this class seals messages.
      const { topic, content } = this.#options.values.open(
        'message',
        node,
        secretBytes(sealed, 'base64'),
      ) as { readonly topic: string; readonly content: unknown };
      this.#receivers.get(topic)?.(content);
    } catch {
      // A message under a master key that this node does not have is lost, too.
    }
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
