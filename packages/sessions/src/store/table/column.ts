/** The rows of a chunk, as a power of two. */
const CHUNK_BITS = 12;
const CHUNK_ROWS = 2 ** CHUNK_BITS;
const MASK = CHUNK_ROWS - 1;

type Numbers = Float64Array | Uint32Array | Uint16Array;

/**
 * A number for each row, outside the V8 heap. It grows by chunks, so that growing copies nothing. A row has 0 until it
 * is set. Memory of rows is not returned.
 */
export class Column {
  readonly #create: () => Numbers;
  readonly #chunks: (Numbers | undefined)[] = [];

  private constructor(create: () => Numbers) {
    this.#create = create;
  }

  static float64(): Column {
    return new Column(() => new Float64Array(CHUNK_ROWS));
  }

  static uint32(): Column {
    return new Column(() => new Uint32Array(CHUNK_ROWS));
  }

  static uint16(): Column {
    return new Column(() => new Uint16Array(CHUNK_ROWS));
  }

  get(row: number): number {
    return this.#chunks[row >>> CHUNK_BITS]?.[row & MASK] ?? 0;
  }

  set(row: number, value: number): void {
    let chunk = this.#chunks[row >>> CHUNK_BITS];
    if (!chunk) {
      chunk = this.#create();
      // Filled in order, so that the array stays one without holes that V8 reads fast.
      while (this.#chunks.length < row >>> CHUNK_BITS) this.#chunks.push(undefined);
      this.#chunks[row >>> CHUNK_BITS] = chunk;
    }
    chunk[row & MASK] = value;
  }
}
