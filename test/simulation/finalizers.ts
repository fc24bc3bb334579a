let registered: (() => void)[] = [];

/** Notes what is to be run for an object: when it is collected depends on the memory of the process, not on the seed. */
class NotedFinalizers<Held> {
  readonly #run: (held: Held) => void;

  constructor(run: (held: Held) => void) {
    this.#run = run;
  }

  register(_object: object, held: Held): void {
    registered.push(() => this.#run(held));
  }
}

Object.assign(globalThis, { FinalizationRegistry: NotedFinalizers });

/** @returns what the finalizers of all objects do that `run` has made, to call when nothing needs them any more */
export function finalizersOf(run: () => void): () => void {
  const others = registered;
  const own: (() => void)[] = [];
  registered = own;
  run();
  registered = others;
  return () => {
    for (const finalize of own) finalize();
  };
}
