import type { Credential } from './access-tokens.js';

/** What is known of a request before it is sent: plain data, the same for the same seed. */
export interface Blueprint {
  /** Its row in the histogram. */
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly Header[];
  readonly body?: string;
  /** The member whose session it names, if it names one. Only that one's canary may be in the answer, */
  readonly owner?: number;
  /** and has to be. */
  readonly showsOwner?: boolean;
  /** The throw-away login whose client or browser it plays. */
  readonly trip?: number;
  /** The login whose user may be named in the answer, and no other's. */
  readonly visitor?: number;
  /** What is sent instead once that login is under way, for every step that may be the next. */
  readonly steps?: Readonly<Record<Step, Blueprint>>;
  /** The login that it begins otherwise. */
  readonly begins?: Way;
  /** Whether a client that waits for its browser does so before the browser is done. */
  readonly isEager?: boolean;
  /** How many more requests are sent until its client gives it up. Nobody else waits for its answer meanwhile. */
  readonly patience?: number;
  /** Who waits no longer for the rest of an answer, in milliseconds after its head. */
  readonly cutMs?: number;
  /** Who does not even wait for its head, in milliseconds after sending. */
  readonly dropMs?: number;
  /** Whose access token it brings; absent in open access. */
  readonly credential?: Credential;
  /** Whether that token must not let it in. */
  readonly isUnwelcome?: boolean;
}

/** How somebody logs in: by which call, where, and how there. */
export interface Way {
  readonly tool: 'login' | 'note_first' | 'ask_first';
  readonly provider: 'main' | 'codes';
  readonly flow: 'link' | 'device';
}

/** What the client or the browser of a login can do next. */
export type Step =
  | 'ask 2025'
  | 'ask 2026'
  /** The same of a client that waits for the answer. */
  | 'wait 2025'
  | 'wait 2026'
  /** The next round of a call. */
  | 'come back'
  | 'open'
  | 'consent'
  | 'return'
  | 'see code'
  | 'see end'
  | 'confirm 2025'
  | 'confirm 2026';

export type Header = readonly [name: string, value: string];

/** How many members there are of each era. They are logged in throughout. */
export const MEMBERS_PER_ERA = 10;
/** How many throw-away sessions and the like are known at a time. */
export const SLOTS = 16;
/** How many logins are under way at a time. */
export const TRIP_SLOTS = 32;

/** What stands in blueprints for what only the server gives out. */
export type Placeholder =
  /** The id of a member's connection, or its handle. */
  | 'member'
  /** The id of a throw-away connection. */
  | 'connection'
  /** The handle of a throw-away session in which somebody is logged in. */
  | 'session'
  /** A throw-away login: how its client reaches it, what it asked for, and what its browser has learned. */
  | 'pending'
  | 'own connection'
  | 'round'
  | 'tool'
  | 'provider'
  | 'flow'
  | 'link'
  | 'form'
  | 'cookie'
  | 'state'
  | 'code'
  /** The state of a call of several rounds. */
  | 'requestState'
  /** The id of an event that was sent on a stream of a throw-away connection. */
  | 'event'
  /** Where the server is reached: `http://127.0.0.1:<port>`, and the same without `http://`. */
  | 'origin'
  | 'host';

/** A placeholder as it stands in paths, headers and bodies. */
export function placeholder(name: Placeholder, slot = 0): string {
  return `<<${name}:${slot}>>`;
}

/** Puts in place of every placeholder what `look` knows of it. */
export function resolvePlaceholders(text: string, look: (name: string, slot: number) => string): string {
  if (!text.includes('<<')) return text;
  return text.replace(/<<([\w ]+):(\d+)>>/g, (_, name: string, slot: string) => look(name, Number(slot)));
}
