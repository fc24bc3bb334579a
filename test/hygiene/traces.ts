import type { Findings } from './needles.js';
import { Needles } from './needles.js';

/** The secrets of each kind, each with one or more encodings in memory. */
export type Wanted<Kind extends string> = Readonly<Record<Kind, readonly (readonly Buffer[])[]>>;

/** The number of distinct secrets of each kind that were found. */
export type Counts<Kind extends string> = Readonly<Record<Kind, number>>;

/** Secrets that are searched in one pass and counted by kind. */
export class Traces<Kind extends string> {
  readonly needles: Needles;
  /** The kind and number of each needle's secret. */
  readonly #owners: { readonly kind: Kind; readonly thing: number }[] = [];
  readonly #kinds: readonly Kind[];

  constructor(wanted: Wanted<Kind>) {
    const needles: Buffer[] = [];
    // The keys of the record are the kinds.
    this.#kinds = Object.keys(wanted) as Kind[];
    for (const kind of this.#kinds) {
      wanted[kind].forEach((spellings, thing) => {
        for (const spelling of spellings) {
          needles.push(spelling);
          this.#owners.push({ kind, thing });
        }
      });
    }
    this.needles = new Needles(needles);
  }

  /** The positions of the secrets of a kind, with their numbers. */
  positions(found: Findings, wanted: Kind): { readonly thing: number; readonly position: number }[] {
    return [...found].flatMap(([index, positions]) => {
      const owner = this.#owners[index];
      return owner?.kind === wanted ? positions.map((position) => ({ thing: owner.thing, position })) : [];
    });
  }

  count(found: Findings): Counts<Kind> {
    const things = new Map(this.#kinds.map((kind) => [kind, new Set<number>()]));
    for (const index of found.keys()) {
      const owner = this.#owners[index];
      if (owner) things.get(owner.kind)?.add(owner.thing);
    }
    // Every kind has a set.
    return Object.fromEntries([...things].map(([kind, set]) => [kind, set.size])) as Counts<Kind>;
  }
}

/** The encodings of a text in memory: V8 uses one or two bytes for a character. */
export function spellingsOf(text: string): Buffer[] {
  return [Buffer.from(text, 'utf8'), Buffer.from(text, 'utf16le')];
}

/**
 * The halves of a key. The allocator overwrites the first bytes of memory that was freed without being wiped, and
 * half a key is a leak, too.
 */
export function halvesOf(key: Buffer): Buffer[] {
  return [key.subarray(0, key.length / 2), key.subarray(key.length / 2)];
}
