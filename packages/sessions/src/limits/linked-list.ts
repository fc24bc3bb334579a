/** A member of a {@link LinkedList}. */
export interface Linked<T> {
  previous: T | undefined;
  next: T | undefined;
}

/**
 * A list whose members carry its links: to add or remove one allocates nothing. A `Map` or `Set` whose entries come and
 * go allocates its table again and again, and old tables keep what they had from V8's collector of young objects.
 */
export class LinkedList<T extends Linked<T>> {
  #first: T | undefined;
  #last: T | undefined;

  /** The oldest member. */
  get first(): T | undefined {
    return this.#first;
  }

  /** The members, the oldest first. The current one may be removed meanwhile. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let member = this.#first; member; ) {
      const { next } = member;
      yield member;
      member = next;
    }
  }

  /** Adds a member at the end. It must be in no list. */
  add(member: T): void {
    member.previous = this.#last;
    if (this.#last) this.#last.next = member;
    else this.#first = member;
    this.#last = member;
  }

  /** Removes a member of this list. */
  remove(member: T): void {
    const { previous, next } = member;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    member.previous = undefined;
    member.next = undefined;
  }
}
