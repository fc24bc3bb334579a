import type { SessionRef } from './ids.js';
import type { Messages } from './messages.js';

/** Tells other nodes that a session has changed, and hears of the changes of others. */
export class SessionMessages {
  readonly #messages: Pick<Messages, 'publish' | 'subscribe'>;
  readonly #pending = new Set<SessionRef>();
  /** The session that is being published: this node has made that change. */
  #publishing: SessionRef | undefined;

  constructor(messages: Pick<Messages, 'publish' | 'subscribe'>) {
    this.#messages = messages;
  }

  /** Tells other nodes of a change. All changes of a session in one tick are one message. */
  publish(ref: SessionRef): void {
    if (this.#pending.size === 0) queueMicrotask(() => this.#publishPending());
    this.#pending.add(ref);
  }

  /**
   * Calls `run` when another node may have changed a session.
   * @returns a function that ends the subscription
   */
  subscribe(ref: SessionRef, run: () => void): () => void {
    return this.#messages.subscribe(topicOf(ref), () => {
      if (this.#publishing !== ref) run();
    });
  }

  #publishPending(): void {
    const refs = [...this.#pending];
    this.#pending.clear();
    for (const ref of refs) {
      this.#publishing = ref;
      this.#messages.publish(topicOf(ref));
      this.#publishing = undefined;
    }
  }
}

function topicOf(ref: SessionRef): string {
  return `session ${ref}`;
}
