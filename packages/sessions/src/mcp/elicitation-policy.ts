import type { McpServer, ServerContext } from '@modelcontextprotocol/server';
import { digestOf } from '../login/secret-digest.js';
import type { SessionRef } from '../session/ids.js';
import type { Clock } from '../time/clock.js';
import { clientInfoOf, supportsUrlElicitation } from './client-traits.js';
import { cannotBeAsked } from './host-quirks.js';
import type { RequestContext } from './request-context.js';

/**
 * Whether clients are asked to open the link of a login (URL elicitation).
 *
 * - `auto`: those that declare it, unless they are known not to do it.
 * - `never`: none; the model shows the link.
 */
export type Elicitation = 'auto' | 'never';

/** What is remembered of a client that was asked. */
interface Asked {
  /** Questions to which no answer has come. */
  readonly unanswered: number;
  /** Whether it has ever answered one. */
  readonly hasAnswered: boolean;
  /** Whether its model shows the link from now on. */
  readonly isRefused: boolean;
  readonly untilMs: number;
}

/** A client that keeps silent or refuses may be asked again later: its user may have changed their mind. */
const REMEMBERED_MS = 60 * 60 * 1000;
/** An entry takes about 250 bytes. */
const MAX_REMEMBERED = 10_000;
/** A client that has answered before may have as many questions open: its user may look at several. */
const MAX_UNANSWERED = 4;

/** The client of a call, as far as it matters whether it can be asked. */
export interface AskableClient {
  /** What is remembered of it is found by this. */
  readonly key: string;
  readonly isAskable: boolean;
}

/**
 * Decides which clients are asked to open a link, and remembers what became of it. Not every client that declares
 * URL elicitation asks its user, or comes back with an answer; the link has to reach the user all the same.
 */
export class ElicitationPolicy {
  readonly #mode: Elicitation;
  readonly #clock: Clock;
  /** By session or, where a request names none, by what the client says of itself; the longest unchanged first. */
  readonly #asked = new Map<string, Asked>();

  constructor(mode: Elicitation, clock: Clock) {
    this.#mode = mode;
    this.#clock = clock;
  }

  /** How many clients are remembered. */
  get size(): number {
    return this.#asked.size;
  }

  /** The client of the request at hand. */
  clientOf(server: McpServer, protocol: ServerContext, context: RequestContext): AskableClient {
    const info = clientInfoOf(server, protocol);
    const { named, era, peer } = context;
    return {
      key: named.state === 'live' ? named.record.ref : digestOf(JSON.stringify([info, peer])),
      isAskable:
        this.#mode === 'auto' && supportsUrlElicitation(server, protocol) && !cannotBeAsked(info, era),
    };
  }

  /** Whether a client is asked now. */
  mayAsk({ key, isAskable }: AskableClient): boolean {
    if (!isAskable) return false;
    const asked = this.#find(key);
    return !asked || (!asked.isRefused && asked.unanswered < (asked.hasAnswered ? MAX_UNANSWERED : 1));
  }

  /** A client has been sent a question. */
  asked({ key }: AskableClient): void {
    const { unanswered = 0, ...asked } = this.#find(key) ?? {};
    this.#remember(key, { ...asked, unanswered: unanswered + 1 });
  }

  /** A client has answered a question, whatever it said. */
  answered({ key }: AskableClient): void {
    const { unanswered = 1, ...asked } = this.#find(key) ?? {};
    this.#remember(key, { ...asked, unanswered: Math.max(0, unanswered - 1), hasAnswered: true });
  }

  /** From now on the model of a session's client shows the link. @returns whether it did not before */
  stopAsking(ref: SessionRef): boolean {
    const asked = this.#find(ref);
    this.#remember(ref, { ...asked, isRefused: true });
    return !asked?.isRefused;
  }

  /** A login is over, and its session has another name from now on. */
  moved(from: SessionRef, to: SessionRef): void {
    if (this.#find(from)?.isRefused) this.stopAsking(to);
  }

  #find(key: string): Asked | undefined {
    const asked = this.#asked.get(key);
    return asked && asked.untilMs > this.#clock.now() ? asked : undefined;
  }

  #remember(key: string, change: Partial<Asked>): void {
    this.#asked.delete(key);
    const [oldest] = this.#asked.size >= MAX_REMEMBERED ? this.#asked.keys() : [];
    if (oldest !== undefined) this.#asked.delete(oldest);
    this.#asked.set(key, {
      unanswered: 0,
      hasAnswered: false,
      isRefused: false,
      ...change,
      untilMs: this.#clock.now() + REMEMBERED_MS,
    });
  }
}
