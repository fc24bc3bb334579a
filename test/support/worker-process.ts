import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Question, RELEASE } from './answer-parent.js';
import { type Ending, end, own } from './child-processes.js';

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
    const sent: Question = { question, argument };
    this.#child.send(sent);
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
