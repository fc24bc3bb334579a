import { createHash } from 'node:crypto';

/** What the client of a connection has said that its server object has to know. */
export interface ClientState {
  /** The parameters of `initialize`, as JSON. */
  readonly initialize: string;
  /** The level of `logging/setLevel`. `undefined`: none */
  readonly logLevel: unknown;
  /** Whether the connection has never had a server object. */
  readonly isNew?: boolean;
}

/**
 * What a connection is while it hibernates: data only. A server object, made by `tools` and told what the client has
 * said, goes on with it.
 */
export interface Hibernated extends ClientState {
  /** The number of events that the connection has had, so that no event id is used twice. */
  readonly numbered: number;
  /** The number of requests to the client, so that a late answer to one of them answers no other. */
  readonly asked: number;
}

interface Kept extends Hibernated {
  uses: number;
}

/**
 * The states of connections that hibernate. Equal ones are kept once: the same program sends the same `initialize` for
 * all of its users.
 */
export class HibernatedStates {
  /** By digests: the text of `initialize` is kept once, as it counts for its client. */
  readonly #kept = new Map<string, Kept>();

  /** The number of different states. */
  get size(): number {
    return this.#kept.size;
  }

  /** Keeps a state until it is released. @returns the one object of all equal states */
  keep(state: Hibernated): Hibernated {
    const key = keyOf(state);
    const kept = this.#kept.get(key) ?? { ...state, uses: 0 };
    kept.uses++;
    this.#kept.set(key, kept);
    return kept;
  }

  release(state: Hibernated): void {
    const key = keyOf(state);
    const kept = this.#kept.get(key);
    if (kept && --kept.uses === 0) this.#kept.delete(key);
  }
}

function keyOf({ initialize, logLevel, numbered, asked, isNew }: Hibernated): string {
  const text = `${numbered} ${asked} ${isNew ? 'new ' : ''}${JSON.stringify(logLevel ?? null)} ${initialize}`;
  return createHash('sha256').update(text).digest('base64');
}
