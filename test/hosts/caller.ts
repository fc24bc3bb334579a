/** A call of the model's, and what the host then showed it. */
export interface Exchange {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly shown: string;
}

/** What calls the tools through a host: a model that plays a script, or, for a host without one, the driver. */
export interface Caller {
  readonly exchanges: readonly Exchange[];
  /** Resolves to the names of the tools, as the host offers them, once it has connected. */
  opened(): Promise<readonly string[]>;
  /** @returns what the host shows of the tool's answer. */
  call(tool: string, args?: Record<string, unknown>): Promise<string>;
  finish(): Promise<void>;
}

/** What an attentive reader takes for the handle of its session. */
const HANDLE = /\bsession\b\\?"?\s*[:=]\s*\\?"?([\w-]{22,})/g;

/** The handle that an attentive reader of a result passes from then on, if any. */
export function handleAfter(handle: string | undefined, shown: string): string | undefined {
  if (shown.includes('without `session`')) return undefined;
  return [...shown.matchAll(HANDLE)].at(-1)?.[1] ?? handle;
}
