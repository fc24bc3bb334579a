import type { Findings } from './needles.js';
import { Needles } from './needles.js';

/** What is looked for, by kind: each is a list of things, and each thing has one or more spellings in memory. */
export type Wanted<Kind extends string> = Readonly<Record<Kind, readonly (readonly Buffer[])[]>>;

/** How many different things of each kind were found. */
export type Counts<Kind extends string> = Readonly<Record<Kind, number>>;

/** Things to be looked for together, and counted by kind. */
export class Traces<Kind extends string> {
  readonly needles: Needles;
  /** Kind and number of the thing that each needle spells. */
  readonly #owners: { readonly kind: Kind; readonly thing: number }[] = [];
  readonly #kinds: readonly Kind[];

  constructor(wanted: Wanted<Kind>) {
    const needles: Buffer[] = [];
    // The keys of a record are its kinds.
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

  /** Where things of a kind were found, with the number of each. */
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
    // Every kind has been given a set above.
    return Object.fromEntries([...things].map(([kind, set]) => [kind, set.size])) as Counts<Kind>;
  }
}

/** A text as it may lie in memory: V8 keeps strings with one or with two bytes a character. */
export function spellingsOf(text: string): Buffer[] {
  return [Buffer.from(text, 'utf8'), Buffer.from(text, 'utf16le')];
}

/**
 * The halves of a key: where memory was freed without being wiped, the allocator's notes cover the first bytes
 * of what was there, and half a key is much more than nothing.
 */
export function halvesOf(key: Buffer): Buffer[] {
  return [key.subarray(0, key.length / 2), key.subarray(key.length / 2)];
}
