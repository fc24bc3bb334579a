import { describe, expect, it } from 'vitest';
import { type Linked, LinkedList } from './linked-list.js';

interface Member extends Linked<Member> {
  readonly name: string;
}

function listOf(...names: readonly string[]) {
  const list = new LinkedList<Member>();
  const members = names.map((name): Member => ({ name, previous: undefined, next: undefined }));
  for (const member of members) list.add(member);
  return { list, members, left: () => [...list].map(({ name }) => name) };
}

describe('a linked list', () => {
  it.each([
    ['the first', 0, ['b', 'c']],
    ['one in between', 1, ['a', 'c']],
    ['the last', 2, ['a', 'b']],
  ])('keeps the order of the others when %s is removed', (_which, index, left) => {
    const { list, members, left: actual } = listOf('a', 'b', 'c');
    const [removed] = members.slice(index);
    if (removed) list.remove(removed);
    expect(actual()).toEqual(left);
    expect(list.first?.name).toBe(left[0]);
  });

  it('is empty when all are removed, and takes them again at its end', () => {
    const { list, members, left } = listOf('a', 'b');
    for (const member of members) list.remove(member);
    expect(list.first).toBeUndefined();
    for (const member of [...members].reverse()) list.add(member);
    expect(left()).toEqual(['b', 'a']);
  });

  it('goes on after a member that was removed meanwhile', () => {
    const { list, left } = listOf('a', 'b', 'c');
    const seen: string[] = [];
    for (const member of list) {
      seen.push(member.name);
      list.remove(member);
    }
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(left()).toEqual([]);
  });
});
