import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = [
  ...readdirSync(root),
  ...readdirSync(`${root}docs`, { recursive: true }).map((path) => `docs/${path}`),
].filter((path) => path.endsWith('.md'));

/** The number of cells. A bar in code, or after a backslash, separates none. */
const cellsIn = (row: string) =>
  row
    .replace(/`[^`]*`/g, 'code')
    .replaceAll('\\|', '')
    .split('|').length;

/** The rows that have more or fewer cells than the first row of their table. */
function unevenRows(page: string): string[] {
  let cells: number | undefined;
  return readFileSync(root + page, 'utf8')
    .split('\n')
    .filter((line) => {
      if (!line.startsWith('|')) cells = undefined;
      else if (cells === undefined) cells = cellsIn(line);
      else return cellsIn(line) !== cells;
      return false;
    });
}

it.each(pages)('each row of a table in %s has the cells of its first row', (page) => {
  expect(unevenRows(page)).toEqual([]);
});
