/** Lets one thing happen after another wherever both are about the same. */
export class Turns {
  readonly #last = new Map<number, Promise<void>>();

  /** Runs `run` when whatever came before it in the same place is done. Neither may reject. */
  take(place: number, run: () => Promise<void>): Promise<void> {
    const turn = (this.#last.get(place) ?? Promise.resolve()).then(run);
    this.#last.set(place, turn);
    return turn;
  }
}
