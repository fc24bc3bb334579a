import type { Credential } from './access-tokens.js';

/** A generated request as plain data, which depends on the seed only. */
export interface Blueprint {
  /** Its row in the histogram. */
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly Header[];
  readonly body?: string;
  /** The member whose session the request names. Only that member's canary may be in the response. */
  readonly owner?: number;
  /** Whether the response has to contain the owner's canary. */
  readonly showsOwner?: boolean;
  /** The temporary login whose client or browser sends the request. */
  readonly pendingLogin?: number;
  /** The only login whose user may be in the response. */
  readonly visitor?: number;
  /** The requests for the steps of that login, while it is pending. */
  readonly steps?: Readonly<Record<Step, Blueprint>>;
  /** The login that the request starts if none is pending. */
  readonly begins?: Way;
  /** Whether the client calls before its browser is done. */
  readonly isEager?: boolean;
  /** The number of requests after which its client abandons it. Other requests do not wait for its response. */
  readonly patience?: number;
  /** When the client stops reading the response, in milliseconds after its headers. */
  readonly cutMs?: number;
  /** When the client closes the connection, in milliseconds after sending. */
  readonly dropMs?: number;
  /** The access token; absent in open access. */
  readonly credential?: Credential;
  /** Whether the server has to refuse that token. */
  readonly isUnwelcome?: boolean;
}

/** The tool, provider and flow of a login. */
export interface Way {
  readonly tool: 'login' | 'note_first' | 'ask_first';
  readonly provider: 'main' | 'codes';
  readonly flow: 'link' | 'device';
}

/** The steps of the client or browser of a login. */
export type Step =
  | 'ask 2025'
  | 'ask 2026'
  /** The same by a client that waits for the response. */
  | 'wait 2025'
  | 'wait 2026'
  /** The next request of a multi-request call. */
  | 'come back'
  | 'open'
  | 'consent'
  | 'return'
  | 'see code'
  | 'see end'
  | 'confirm 2025'
  | 'confirm 2026';

export type Header = readonly [name: string, value: string];

/** The number of members of each era. They stay logged in. */
export const MEMBERS_PER_ERA = 10;
/** The number of temporary sessions, request states and events that are kept. */
export const SLOTS = 16;
/** The number of pending logins. */
export const LOGIN_SLOTS = 32;

/** Placeholders for values that the server issues. */
export type Placeholder =
  /** The connection id or handle of a member. */
  | 'member'
  /** The id of a temporary connection. */
  | 'connection'
  /** The handle of a temporary session with a login. */
  | 'session'
  /** Values of a temporary login: of its client, its request and its browser. */
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
  /** The request state of a multi-request call. */
  | 'requestState'
  /** The id of an event on a stream of a temporary connection. */
  | 'event'
  /** The origin of the server, `http://127.0.0.1:<port>`, and its host. */
  | 'origin'
  | 'host';

/** A placeholder in paths, headers and bodies. */
export function placeholder(name: Placeholder, slot = 0): string {
  return `<<${name}:${slot}>>`;
}

/** Replaces each placeholder by the value that `look` returns. */
export function resolvePlaceholders(text: string, look: (name: string, slot: number) => string): string {
  if (!text.includes('<<')) return text;
  return text.replace(/<<([\w ]+):(\d+)>>/g, (_, name: string, slot: string) => look(name, Number(slot)));
}
