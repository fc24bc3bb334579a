import type { Messages } from '../session/messages.js';

/** Messages within this process. They are delivered in the tick in which they are published. */
export class LocalMessages implements Messages {
  readonly #subscriptions = new Map<string, Set<{ readonly run: () => void }>>();

  /** The number of topics with a subscription. */
  get size(): number {
    return this.#subscriptions.size;
  }

  publish(topic: string): void {
    // A copy: a receiver may subscribe again.
    for (const { run } of [...(this.#subscriptions.get(topic) ?? [])]) run();
  }

  send(): void {
    // There are no other nodes.
  }

  receive(): void {
    // There are no other nodes.
  }

  subscribe(topic: string, run: () => void): () => void {
    const subscription = { run };
    const subscriptions = this.#subscriptions.get(topic) ?? new Set();
    this.#subscriptions.set(topic, subscriptions.add(subscription));
    return () => {
      subscriptions.delete(subscription);
      if (subscriptions.size === 0 && this.#subscriptions.get(topic) === subscriptions)
        this.#subscriptions.delete(topic);
    };
  }
}
