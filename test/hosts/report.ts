/** The steps of the test of a host, in order. */
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
  /** A note about the result. */
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
  async step(step: Step, run: () => Promise<unknown>): Promise<boolean> {
    try {
      const note = await run();
      this.outcomes.set(step, { isOk: true, ...(typeof note === 'string' && { note }) });
      return true;
    } catch (error) {
      this.outcomes.set(step, { isOk: false, note: error instanceof Error ? error.message : String(error) });
      return false;
    }
  }

  /** Puts the reason why a step failed in plain words. */
  explain(step: Step, note: string): void {
    if (this.outcomes.get(step)?.isOk === false) this.outcomes.set(step, { isOk: false, note });
  }
}
