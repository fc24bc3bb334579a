import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Ending, end, own } from '../support/child-processes.js';

type Answering = (argument: unknown) => unknown;

/** Announces that what comes next is no accident of the parent's. */
const RELEASE = 'release';

const questionSchema = z.object({ question: z.string(), argument: z.unknown().optional() });
const replySchema = z.union([z.object({ error: z.string() }), z.object({ answer: z.unknown().optional() })]);

/** A process that answers questions, one at a time. */
export class AskedProcess {
  readonly #child: ChildProcess;

  /**
   * @param module what it runs, compiled: `new URL('./….js', import.meta.url)`
   * @param flags further flags for Node
   */
  constructor(module: URL, flags: readonly string[] = []) {
    const env = { PATH: process.env.PATH };
    this.#child = own(fork(fileURLToPath(module), { execArgv: ['--expose-gc', ...flags], env }));
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('The process was not started.');
    return this.#child.pid;
  }

  /** @throws when the process ends instead of answering, or answers with an error. */
  async ask<Answer = void>(
    question: string,
    argument?: unknown,
    schema?: z.ZodType<Answer>,
  ): Promise<Answer> {
    const listening = new AbortController();
    const { signal } = listening;
    const ended = once(this.#child, 'exit', { signal }).then(([code]) => {
      throw new Error(`Asked for "${question}", the process ended with code ${code}.`);
    });
    const answered = Promise.race([once(this.#child, 'message', { signal }), ended]);
    this.#child.send({ question, argument });
    const reply = replySchema.parse((await answered.finally(() => listening.abort()))[0]);
    if ('error' in reply) throw new Error(`Asked for "${question}": ${reply.error}`);
    // Without a schema the caller wants no answer.
    return schema ? schema.parse(reply.answer) : (undefined as Answer);
  }

  /**
   * Lets go of the process, which is expected to end by itself then.
   * @returns how it ended; `undefined` when it had to be killed.
   */
  async release(patienceMs: number): Promise<Ending | undefined> {
    await this.ask(RELEASE);
    const exit = once(this.#child, 'exit').then(() => true);
    this.#child.disconnect();
    const isOver = await Promise.race([exit, sleep(patienceMs, false, { ref: false })]);
    const ending = await end(this.#child, 'SIGKILL');
    return isOver ? ending : undefined;
  }

  async kill(): Promise<void> {
    await end(this.#child, 'SIGKILL');
  }
}

/**
 * The other side: answers the parent, and ends with it. A process that is released goes on instead, and nothing
 * of this keeps it alive.
 */
export function answerParent(answers: Readonly<Record<string, Answering>>): void {
  const endToo = () => process.exit();
  process.once('disconnect', endToo);
  process.on('message', async (received) => {
    const { question, argument } = questionSchema.parse(received);
    try {
      if (question === RELEASE) process.off('disconnect', endToo);
      process.send?.({ answer: await answers[question]?.(argument) });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? `${error.stack}` : `${error}` });
    }
  });
}

/** Collects garbage until what finalizers and weak references had held is gone too. Needs `--expose-gc`. */
export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await sleep(20);
  }
}
