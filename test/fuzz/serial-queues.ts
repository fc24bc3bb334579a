/** Runs functions one after the other for each key. */
export class SerialQueues {
  readonly #last = new Map<number, Promise<void>>();

  /** Runs `task` after the earlier functions with the same key. It must not reject. */
  run(key: number, task: () => Promise<void>): Promise<void> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(task);
    this.#last.set(key, turn);
    return turn;
  }
}
