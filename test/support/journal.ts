/** Limits a wait, so that the error names the awaited event, before the test runner ends the test. */
const DEADLINE_MS = 240_000;

/** A list of received entries. A test can wait for further ones. */
export class Journal<Entry> {
  readonly #entries: Entry[] = [];
  readonly #waiting = new Set<() => void>();

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    for (const look of [...this.#waiting]) look();
  }

  /**
   * Calls `find` with all entries, now and after each new entry, until it returns a value.
   * @param what the name of the awaited event in the error
   */
  until<Found>(what: string, find: (entries: readonly Entry[]) => Found | undefined): Promise<Found> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(deadline);
        this.#waiting.delete(look);
        act();
      };
      const look = () => {
        const found = find(this.#entries);
        if (found !== undefined) settle(() => resolve(found));
      };
      const deadline = setTimeout(() => {
        const last = this.#entries.slice(-10).map((entry) => JSON.stringify(entry));
        settle(() =>
          reject(new Error(`Timed out while waiting for ${what}. Last entries:\n${last.join('\n')}`)),
        );
      }, DEADLINE_MS);
      this.#waiting.add(look);
      look();
    });
  }

  /** Resolves with the first entry that matches, including earlier ones. */
  first(what: string, fits: (entry: Entry) => boolean): Promise<Entry> {
    return this.until(what, (entries) => entries.find(fits));
  }
}

const PAUSE_MS = 20;

/** Polls until `ask` returns a value, for changes that send no event. */
export async function eventually<Found>(what: string, ask: () => Promise<Found | undefined>): Promise<Found> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  while (performance.now() < deadlineMs) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`Timed out while waiting for ${what}.`);
}
