import type { Caller } from './caller.js';
import type { Access } from './stage.js';
import type { User } from './user.js';

/** A host that runs. */
export interface RunningHost {
  readonly caller: Caller;
  /** All that it has printed. */
  output(): string;
  /** Ends it. Its `HOME` stays. */
  close(): Promise<void>;
}

/** A host with its `HOME`, for one user. */
export interface SettledHost {
  /** Signs the user in at the authorization server. */
  signIn(): Promise<void>;
  /** Starts it, with a conversation if it has a model. */
  start(): Promise<RunningHost>;
  /** Deletes its `HOME`. */
  remove(): Promise<void>;
}

/** Anything that can be tried: it is set up for a user and an MCP endpoint. */
export interface Candidate {
  /** Its name for `--only`. */
  readonly name: string;
  readonly title: string;
  /** Its name in `versions.json`. */
  readonly pin: string;
  /** Whether every command is a separate client. */
  readonly isOneShot?: boolean;
  settle(mcp: string, access: Access, user: User): Promise<SettledHost>;
}
