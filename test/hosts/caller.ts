/** A call by the model, and the result that the host showed it. */
export interface Exchange {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly shown: string;
}

/** Calls tools through a host: a scripted model, or the driver for a host without a model. */
export interface Caller {
  readonly exchanges: readonly Exchange[];
  /** Resolves to the names of the tools, as the host offers them, once it has connected. */
  opened(): Promise<readonly string[]>;
  /** @returns what the host shows of the tool's answer. */
  call(tool: string, args?: Record<string, unknown>): Promise<string>;
  finish(): Promise<void>;
}

/** The handle of the session in a text. */
const HANDLE = /\bsession\b\\?"?\s*[:=]\s*\\?"?([\w-]{22,})/g;

/** The handle in a result that later calls have to pass, if there is one. */
export function handleAfter(handle: string | undefined, shown: string): string | undefined {
  if (shown.includes('without `session`')) return undefined;
  return [...shown.matchAll(HANDLE)].at(-1)?.[1] ?? handle;
}
