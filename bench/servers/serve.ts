import { setTimeout as sleep } from 'node:timers/promises';
import { answerParent, collectGarbage } from '../../test/support/answer-parent.js';

/** The tool of every server: it answers with its argument. */
export const ECHO = 'echo';
export const ECHO_DESCRIPTION = 'Answers with the text that it is given.';
export const SERVER_INFO = { name: 'bench', version: '1.0.0' } as const;

/** V8 gives memory back in the background. */
const SETTLING_MS = 500;

/** The memory of a process after a full collection, in bytes. */
export interface Footprint {
  readonly rss: number;
  readonly heap: number;
}

/**
 * Lets the parent start the server and read its figures.
 * @param start returns the URL of the endpoint
 * @param more further questions
 */
export function serve(
  start: (argument: unknown) => Promise<string>,
  more: Readonly<Record<string, (argument: unknown) => unknown>> = {},
): void {
  answerParent({
    start,
    /** The CPU time of this process so far, in microseconds: all threads, user and system. */
    cpuMicros() {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    async footprint(): Promise<Footprint> {
      await collectGarbage();
      await sleep(SETTLING_MS);
      await collectGarbage();
      const { rss, heapUsed } = process.memoryUsage();
      return { rss, heap: heapUsed };
    },
    ...more,
  });
}
