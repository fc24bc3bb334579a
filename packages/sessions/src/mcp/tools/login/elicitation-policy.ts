import type { McpServer, ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { ExpiringMap } from '../../../limits/expiring-map.js';
import type { SessionRef } from '../../../session/ids.js';
import type { Messages } from '../../../session/messages.js';
import type { Clock } from '../../../time/clock.js';
import { digestOf } from '../../../vault/secret-digest.js';
import type { ClientInfo } from '../../request/client-capabilities.js';
import { clientInfoOf, supportsUrlElicitation } from '../../request/client-capabilities.js';
import type { Era, RequestContext } from '../../request/context.js';

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
}

/** What a node tells the others of a client. */
const noteSchema = z.object({
  key: z.string(),
  what: z.enum(['asked', 'answered', 'refused']),
});

type Note = z.infer<typeof noteSchema>;

const TOPIC = 'elicitation';

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
  /** By session, or for a request without a session by client information and address. */
  readonly #asked: ExpiringMap<string, Asked>;
  readonly #messages: Pick<Messages, 'send' | 'receive'> | undefined;

  /** @param messages absent if no other node can get the requests of a client */
  constructor(mode: Elicitation, clock: Clock, messages?: Pick<Messages, 'send' | 'receive'>) {
    this.#mode = mode;
    this.#messages = messages;
    this.#asked = new ExpiringMap({ clock, maxEntries: MAX_REMEMBERED, ttlMs: REMEMBERED_MS });
    messages?.receive(TOPIC, (content) => {
      const { data } = noteSchema.safeParse(content);
      if (data) this.#note(data);
    });
  }

  /** How many clients are remembered. */
  get size(): number {
    return this.#asked.size;
  }

  /** The client of the current request. */
  clientOf(server: McpServer, protocol: ServerContext, context: RequestContext): AskableClient {
    const info = clientInfoOf(server, protocol);
    const { resolved, era, clientKey } = context;
    return {
      key: resolved.state === 'live' ? resolved.record.ref : digestOf(JSON.stringify([info, clientKey])),
      isAskable:
        this.#mode === 'auto' && supportsUrlElicitation(server, protocol) && !cannotBeAsked(info, era),
    };
  }

  /** Whether a client may be asked: it supports elicitation, has not refused, and has few enough open questions. */
  mayAsk({ key, isAskable }: AskableClient): boolean {
    if (!isAskable) return false;
    const asked = this.#asked.get(key);
    return !asked || (!asked.isRefused && asked.unanswered < (asked.hasAnswered ? MAX_UNANSWERED : 1));
  }

  /** Notes that a client was asked. */
  asked({ key }: AskableClient): void {
    this.#noteEverywhere({ key, what: 'asked' });
  }

  /** Notes that a client has answered, with any answer. */
  answered({ key }: AskableClient): void {
    this.#noteEverywhere({ key, what: 'answered' });
  }

  /** Stops asking the client of a session: the model shows the link instead. @returns whether this is a change */
  stopAsking(ref: SessionRef): boolean {
    const isChange = !this.#asked.get(ref)?.isRefused;
    this.#noteEverywhere({ key: ref, what: 'refused' });
    return isChange;
  }

  /** The next request of the client may reach another node. */
  #noteEverywhere(note: Note): void {
    this.#note(note);
    this.#messages?.send(TOPIC, note);
  }

  #note({ key, what }: Note): void {
    const asked = this.#asked.get(key);
    this.#asked.set(key, { ...NEVER_ASKED, ...asked, ...changeBy(what, asked) });
  }

  /** Notes that a session has a new reference after a login. */
  moved(from: SessionRef, to: SessionRef): void {
    if (this.#asked.get(from)?.isRefused) this.stopAsking(to);
  }
}

const NEVER_ASKED: Asked = { unanswered: 0, hasAnswered: false, isRefused: false };

function changeBy(what: Note['what'], asked: Asked | undefined): Partial<Asked> {
  switch (what) {
    case 'asked':
      return { unanswered: (asked?.unanswered ?? 0) + 1 };
    case 'answered':
      return { unanswered: Math.max(0, (asked?.unanswered ?? 1) - 1), hasAnswered: true };
    case 'refused':
      return { isRefused: true };
  }
}

/** A host that is known not to do what it declares, or not to support what a login needs. */
interface HostQuirk {
  /** The client's name (`clientInfo.name`). */
  readonly client: string;
  /** The newest version with the quirk; later versions are tried again. Absent: all versions. */
  readonly upTo?: string;
  /** The era in which the client has the quirk. Absent: both. */
  readonly era?: Era;
  /**
   * - `cannot-be-asked`: the client declares URL elicitation, but its user never sees the question.
   * - `process-per-call`: the client opens a new connection for every call.
   */
  readonly quirk: 'cannot-be-asked' | 'process-per-call';
  readonly reason: string;
}

/**
 * The known quirks. An entry spares users a failed call. Clients without an entry work, too: {@link ElicitationPolicy}
 * learns the same from their answers.
 */
const HOST_QUIRKS: readonly HostQuirk[] = [
  {
    client: 'codex-mcp-client',
    upTo: '0.171',
    era: '2025',
    quirk: 'cannot-be-asked',
    reason: 'Codex answers `decline` to a URL elicitation without asking its user, in every mode.',
  },
  {
    client: 'copilot-cli',
    upTo: '1.0',
    era: '2026',
    quirk: 'cannot-be-asked',
    reason: 'Copilot CLI takes `input_required` for a malformed result, and shows its model an error.',
  },
  {
    client: 'mcporter',
    quirk: 'process-per-call',
    reason: 'Each command is a process with its own connection, unless the daemon keeps the connection.',
  },
  {
    client: 'inspector-cli',
    quirk: 'process-per-call',
    reason: 'Each command of the Inspector’s CLI is a process with its own connection.',
  },
];

/** Whether a client is known to declare URL elicitation without asking its user. */
function cannotBeAsked(info: ClientInfo | undefined, era: Era): boolean {
  return hasQuirk('cannot-be-asked', info, era);
}

/** Whether a client is known to open a new connection for every call. */
export function connectsForEachCall(info: ClientInfo | undefined, era: Era): boolean {
  return hasQuirk('process-per-call', info, era);
}

function hasQuirk(quirk: HostQuirk['quirk'], info: ClientInfo | undefined, era: Era): boolean {
  return HOST_QUIRKS.some(
    (host) =>
      host.quirk === quirk &&
      host.client === info?.name &&
      (host.era === undefined || host.era === era) &&
      (host.upTo === undefined || isUpTo(host.upTo, info.version)),
  );
}

/** Whether a version is not newer than a limit, by the components of the limit: 0.171.3 is not newer than 0.171. */
function isUpTo(limit: string, version: string): boolean {
  const numbers = version.split('.').map((part) => Number.parseInt(part, 10));
  for (const [index, most] of limit.split('.').map(Number).entries()) {
    const number = numbers[index] ?? 0;
    if (number !== most) return number < most;
  }
  return true;
}
