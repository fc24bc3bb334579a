import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Ending, end, own } from './child-processes.js';

type Answering = (argument: unknown) => unknown;

/** Tells the child that the parent disconnects on purpose. */
const RELEASE = 'release';

const questionSchema = z.object({ question: z.string(), argument: z.unknown().optional() });
const replySchema = z.union([z.object({ error: z.string() }), z.object({ answer: z.unknown().optional() })]);

/** A child process that answers one request at a time. */
export class WorkerProcess {
  readonly #child: ChildProcess;

  /**
   * @param module the compiled module that it runs: `new URL('./….js', import.meta.url)`
   * @param flags additional flags for Node
   */
  constructor(module: URL, flags: readonly string[] = []) {
    const env = { PATH: process.env.PATH };
    this.#child = own(fork(fileURLToPath(module), { execArgv: ['--expose-gc', ...flags], env }));
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('The process was not started.');
    return this.#child.pid;
  }

  /** @throws Error if the process ends without an answer, or answers with an error */
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
    // Without a schema, the caller expects no answer.
    return schema ? schema.parse(reply.answer) : (undefined as Answer);
  }

  /**
   * Disconnects from the process, which has to end by itself then.
   * @returns how it ended; `undefined` if it was killed
   */
  async release(timeoutMs: number): Promise<Ending | undefined> {
    await this.ask(RELEASE);
    const exit = once(this.#child, 'exit').then(() => true);
    this.#child.disconnect();
    const isOver = await Promise.race([exit, sleep(timeoutMs, false, { ref: false })]);
    const ending = await end(this.#child, 'SIGKILL');
    return isOver ? ending : undefined;
  }

  async kill(): Promise<void> {
    await end(this.#child, 'SIGKILL');
  }
}

/**
 * Answers the parent in the child process, which ends with the parent. A released process continues, and this
 * function does not keep it alive.
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

/** Collects garbage until finalizers and weak references hold nothing. Requires `--expose-gc`. */
export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await sleep(20);
  }
}
