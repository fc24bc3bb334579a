/** The share of a name that may differ from a name that it is suggested for. */
const MAX_DIFFERENCE = 0.4;

/** The known name that is most similar to a mistaken one; `undefined` if none is similar. */
export function nearestName(mistaken: string, known: readonly string[]): string | undefined {
  const distances = known.map((name) => ({ name, distance: editDistance(mistaken, name) }));
  const [nearest] = distances.sort((one, other) => one.distance - other.distance);
  return nearest && nearest.distance <= MAX_DIFFERENCE * nearest.name.length ? nearest.name : undefined;
}

/** The number of characters to insert, delete, replace or swap with the next (Damerau), regardless of case. */
function editDistance(from: string, to: string): number {
  const source = from.toLowerCase();
  const target = to.toLowerCase();
  let before: number[] = [];
  let row = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (const [line, character] of [...source].entries()) {
    const next = [line + 1];
    for (let index = 1; index <= target.length; index++) {
      const replaced = (row[index - 1] ?? 0) + (target[index - 1] === character ? 0 : 1);
      const isSwapped = target[index - 2] === character && target[index - 1] === source[line - 1];
      const swapped = isSwapped ? (before[index - 2] ?? Number.POSITIVE_INFINITY) + 1 : replaced;
      next.push(Math.min(replaced, swapped, (row[index] ?? 0) + 1, (next[index - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[target.length] ?? 0;
}
