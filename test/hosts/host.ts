import type { Access } from './stage.js';

/** The environment of a host. */
export interface Setup {
  /** Its `HOME`, new and empty. */
  readonly home: string;
  /** The MCP endpoint. */
  readonly mcp: string;
  /** The origin of the scripted model. */
  readonly model: string;
  /** The `node_modules` that it is installed in. */
  readonly modules: string;
  /** A version of Node that all hosts support. */
  readonly node: string;
}

/** A command line. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** For hosts that need a terminal: the texts that the user types, and the text after which each is typed. */
  readonly typed?: readonly { readonly after: string; readonly text: string }[];
}

/** A host with a model: how the server and the model are configured, and how it runs without a user. */
export interface Host {
  /** Its name for `--only`, and in `versions.json` unless `pin` says another. */
  readonly name: string;
  readonly pin?: string;
  readonly title: string;
  /** Its configuration: files below `HOME`. */
  files?(setup: Setup): Record<string, string>;
  /** Runs one conversation. */
  talk(setup: Setup, access: Access): Launch;
  /** Signs its user in for `--access bearer`, if the host has a separate command for that. */
  signIn?(setup: Setup): Launch;
}

export const PROMPT = 'Log in to the notes server and use its tools.';
