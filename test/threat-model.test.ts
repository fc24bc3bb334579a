import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const path = fileURLToPath(new URL('../docs/threat-model.md', import.meta.url));
const rows = readFileSync(path, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('.test.ts)'));

describe('the threat model', () => {
  it('has rows', () => expect(rows.length).toBeGreaterThan(15));

  it.each(rows)('names tests that exist: %s', (row) => {
    const files = [...row.matchAll(/\]\(([^)]+[.]test[.]ts)\)/g)].map(([, file]) =>
      readFileSync(new URL(file ?? '', new URL('../docs/', import.meta.url)), 'utf8'),
    );
    expect(files.length).toBeGreaterThan(0);
    for (const [, title] of row.matchAll(/“([^”]+)”/g)) {
      expect(
        files.some((text) => text.includes(title ?? '')),
        title,
      ).toBe(true);
    }
  });
});
