/** What every host is tried with, in this order. */
export const STEPS = [
  'signs in',
  'lists tools',
  'call before login',
  'login link',
  'logged in',
  "user's data",
  'two users',
  'long call',
  'quiet',
  'logout',
  'restart',
] as const;

export type Step = (typeof STEPS)[number];

/** How a step went; absent if it was not reached. */
export interface Outcome {
  readonly isOk: boolean;
  /** What is worth knowing, in plain words. */
  readonly note?: string;
}

/** How one host fared in one access mode. */
export class Report {
  readonly title: string;
  readonly version: string;
  era = '?';
  readonly outcomes = new Map<Step, Outcome>();

  constructor(title: string, version: string) {
    this.title = title;
    this.version = version;
  }

  /** Runs a step. @returns whether it succeeded; what it throws becomes its note */
  async step(step: Step, run: () => Promise<string | undefined>): Promise<boolean> {
    try {
      const note = await run();
      this.outcomes.set(step, { isOk: true, ...(note !== undefined && { note }) });
      return true;
    } catch (error) {
      this.outcomes.set(step, { isOk: false, note: error instanceof Error ? error.message : String(error) });
      return false;
    }
  }
}

/** A text as a note quotes it: on one line, short, without what differs from run to run. */
export function quoted(text: string): string {
  const line = text
    .replace(/<\/?untrusted_context>|Wall time: .*|^Output:/gm, '')
    .replace(/\s+/g, ' ')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1')
    .trim();
  return `“${line.length > 220 ? `${line.slice(0, 220)}…` : line}”`;
}
