import { OTHER } from './conventions.js';

/** The maximum number of different values of a label whose values this library does not list. */
const MAX_VALUES = 200;

/** Bounds the values of a label, such as the names of tools. Each value of a label is a time series of its own. */
export class BoundedLabel {
  readonly #known = new Set<string>();

  /** The value, or `_OTHER` if there are 200 others already. */
  valueOf(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size >= MAX_VALUES) return OTHER;
    this.#known.add(value);
    return value;
  }
}
