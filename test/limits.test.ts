import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MAX_JSON_DEPTH, MAX_JSON_ELEMENTS } from '../packages/sessions/src/http/http-limits.js';
import { DEFAULT_LIMITS } from '../packages/sessions/src/limits/limits.js';

const url = new URL('../docs/limits.md', import.meta.url);
const rows = readFileSync(url, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim()));

describe('docs/limits.md', () => {
  it.each(Object.entries(DEFAULT_LIMITS))('says what %s is by default: %i', (option, value) => {
    const [row] = rows.filter(([, , , , , changedBy]) => changedBy === `\`${option}\``);
    expect(row?.[2]).toMatch(new RegExp(`^${value.toLocaleString('en')}\\b`));
  });

  it.each<[string, number]>([
    ['body of an MCP request', MAX_JSON_DEPTH],
    ['array elements and object keys of an MCP request, those in tool arguments excepted', MAX_JSON_ELEMENTS],
  ])('says what the code says of: %s', (limit, value) => {
    const [row] = rows.filter(([, what]) => what === limit);
    expect(row?.[2]).toMatch(new RegExp(`\\b${value.toLocaleString('en')}\\b`));
  });

  it('names a test for each limit, and it is there', () => {
    for (const [, what = '', , , , , shownIn = ''] of rows) {
      const tests = [...shownIn.matchAll(/\]\(([^)]+)\)/g)].map(([, path = '']) => path);
      expect(tests, what).not.toEqual([]);
      for (const path of tests) expect(existsSync(new URL(path, url)), path).toBe(true);
    }
  });
});
