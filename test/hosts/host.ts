import type { Access } from './stage.js';

/** What a host is set up with. */
export interface Setup {
  /** Its `HOME`, new and empty. */
  readonly home: string;
  /** The MCP endpoint. */
  readonly mcp: string;
  /** The origin of the stand-in for a model. */
  readonly model: string;
  /** The `node_modules` that it is installed in. */
  readonly modules: string;
  /** A Node that is new enough for all of them. */
  readonly node: string;
}

/** A command line. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Set for what insists on a terminal: what its user types there, and after which text of the host's. */
  readonly typed?: readonly { readonly after: string; readonly text: string }[];
}

/** A host that has a model: how it is told of the server and of the model, and asked without its user. */
export interface Host {
  /** Its name for `--only`, and in `versions.json` unless `pin` says another. */
  readonly name: string;
  readonly pin?: string;
  readonly title: string;
  /** Its configuration: files below `HOME`. */
  files?(setup: Setup): Record<string, string>;
  /** Runs one conversation. */
  talk(setup: Setup, access: Access): Launch;
  /** Signs its user in for `--access bearer`, where that is a command of its own. */
  signIn?(setup: Setup): Launch;
}

export const PROMPT = 'Log in to the notes server and use its tools.';
