import type { SessionRef } from './ids.js';

/** A change of a session by this process. */
export interface OrderedChange {
  /** Call it in the tick in which the change is sent. */
  readonly send: () => void;
  /** Call it when it is known what has become of it, or when it is not tried for a while. */
  readonly settle: () => void;
}

/** The changes of sessions that this process has sent, and knows nothing of yet. */
export class ChangeOrder {
  readonly #sent = new Map<SessionRef, Set<Promise<void>>>();

  change(ref: SessionRef): OrderedChange {
    let settle: (() => void) | undefined;
    return {
      send: () => {
        settle ??= this.#add(ref);
      },
      settle: () => {
        settle?.();
        settle = undefined;
      },
    };
  }

  /** Resolves when the changes that were sent are answered; `undefined` if there are none. */
  answered(ref: SessionRef): Promise<unknown> | undefined {
    const sent = this.#sent.get(ref);
    return sent && Promise.all(sent);
  }

  #add(ref: SessionRef): () => void {
    const sent = this.#sent.get(ref) ?? new Set();
    this.#sent.set(ref, sent);
    let resolve: () => void = () => undefined;
    const settled = new Promise<void>((settle) => {
      resolve = settle;
    });
    sent.add(settled);
    return () => {
      sent.delete(settled);
      if (sent.size === 0) this.#sent.delete(ref);
      resolve();
    };
  }
}
