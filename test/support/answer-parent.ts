import { setTimeout as sleep } from 'node:timers/promises';

type Answering = (argument: unknown) => unknown;

/** A message of the parent: it asks one question at a time. */
export interface Question {
  readonly question: string;
  readonly argument?: unknown;
}

/** Tells the child that the parent disconnects on purpose. */
export const RELEASE = 'release';

/**
 * Answers the parent in the child process, which ends with the parent. A released process continues, and this
 * function does not keep it alive. It loads no packages, which would count for a child whose memory or start is
 * measured.
 */
export function answerParent(answers: Readonly<Record<string, Answering>>): void {
  const endToo = () => process.exit();
  process.once('disconnect', endToo);
  // Only the parent sends messages.
  process.on('message', async ({ question, argument }: Question) => {
    try {
      if (question === RELEASE) process.off('disconnect', endToo);
      process.send?.({ answer: await answers[question]?.(argument) });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? `${error.stack}` : `${error}` });
    }
  });
}

/** Collects garbage until finalizers and weak references hold nothing. Requires `--expose-gc`. */
export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await sleep(20);
  }
}
