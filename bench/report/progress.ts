/** Shows how far a benchmark is, in one line of the terminal; elsewhere in one line for each part. */
export class Progress {
  readonly #startedMs = performance.now();
  readonly #steps: number;
  #done = 0;
  #part = '';

  /** @param steps the number of calls of `step` */
  constructor(steps: number) {
    this.#steps = steps;
  }

  /** @param part changes rarely @param what is done now */
  step(part: string, what: string): void {
    const seconds = Math.round((performance.now() - this.#startedMs) / 1000);
    const percent = Math.round((100 * this.#done++) / this.#steps);
    const line = `${percent} % after ${Math.floor(seconds / 60)}:${`${seconds % 60}`.padStart(2, '0')} · ${part}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}: ${what}`);
    else if (part !== this.#part) process.stderr.write(`${line}\n`);
    this.#part = part;
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  }
}
