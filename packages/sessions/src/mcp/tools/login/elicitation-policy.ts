import type { McpServer, ServerContext } from '@modelcontextprotocol/server';
import type { SessionRef } from '../../../session/ids.js';
import type { Clock } from '../../../time/clock.js';
import { digestOf } from '../../../vault/secret-digest.js';
import { clientInfoOf, supportsUrlElicitation } from '../../request/client-capabilities.js';
import type { RequestContext } from '../../request/context.js';
import { cannotBeAsked } from './host-quirks.js';

/**
 * Whether clients are asked to open the link of a login (URL elicitation).
 *
 * - `auto`: clients that declare it, unless they are known not to ask their users.
 * - `never`: no client. The model shows the link.
 */
export type Elicitation = 'auto' | 'never';

/** What the server remembers of a client that was asked. */
interface Asked {
  /** The number of unanswered questions. */
  readonly unanswered: number;
  /** Whether the client has answered a question. */
  readonly hasAnswered: boolean;
  /** Whether the client is not asked any more, so that the model shows the link. */
  readonly isRefused: boolean;
  readonly untilMs: number;
}

/** How long a client is remembered, in milliseconds. After that it may be asked again. */
const REMEMBERED_MS = 60 * 60 * 1000;
/** The maximum number of remembered clients. An entry takes about 250 bytes. */
const MAX_REMEMBERED = 10_000;
/** The maximum number of open questions of a client that has answered before. Other clients may have one. */
const MAX_UNANSWERED = 4;

/** The client of a call, and whether it can be asked. */
export interface AskableClient {
  /** The key under which the client is remembered. */
  readonly key: string;
  readonly isAskable: boolean;
}

/**
 * Decides which clients are asked to open a link, and remembers their answers. Some clients that declare URL
 * elicitation do not ask their user, or do not answer. The link then has to reach the user through the model.
 */
export class ElicitationPolicy {
  readonly #mode: Elicitation;
  readonly #clock: Clock;
  /**
   * By session, or for a request without a session by client information and address; the entry that is unchanged
   * longest first.
   */
  readonly #asked = new Map<string, Asked>();

  constructor(mode: Elicitation, clock: Clock) {
    this.#mode = mode;
    this.#clock = clock;
  }

  /** How many clients are remembered. */
  get size(): number {
    return this.#asked.size;
  }

  /** The client of the current request. */
  clientOf(server: McpServer, protocol: ServerContext, context: RequestContext): AskableClient {
    const info = clientInfoOf(server, protocol);
    const { named, era, clientKey } = context;
    return {
      key: named.state === 'live' ? named.record.ref : digestOf(JSON.stringify([info, clientKey])),
      isAskable:
        this.#mode === 'auto' && supportsUrlElicitation(server, protocol) && !cannotBeAsked(info, era),
    };
  }

  /** Whether a client may be asked: it supports elicitation, has not refused, and has few enough open questions. */
  mayAsk({ key, isAskable }: AskableClient): boolean {
    if (!isAskable) return false;
    const asked = this.#find(key);
    return !asked || (!asked.isRefused && asked.unanswered < (asked.hasAnswered ? MAX_UNANSWERED : 1));
  }

  /** Notes that a client was asked. */
  asked({ key }: AskableClient): void {
    const { unanswered = 0, ...asked } = this.#find(key) ?? {};
    this.#remember(key, { ...asked, unanswered: unanswered + 1 });
  }

  /** Notes that a client has answered, with any answer. */
  answered({ key }: AskableClient): void {
    const { unanswered = 1, ...asked } = this.#find(key) ?? {};
    this.#remember(key, { ...asked, unanswered: Math.max(0, unanswered - 1), hasAnswered: true });
  }

  /** Stops asking the client of a session: the model shows the link instead. @returns whether this is a change */
  stopAsking(ref: SessionRef): boolean {
    const asked = this.#find(ref);
    this.#remember(ref, { ...asked, isRefused: true });
    return !asked?.isRefused;
  }

  /** Notes that a session has a new reference after a login. */
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
