import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const exampleIn = (path: string) => /```ts\n([\s\S]*?)```/.exec(read(path))?.[1];

describe.each(['README.md', 'packages/sessions/README.md', 'docs/getting-started.md'])(
  'the example in %s',
  (path) => {
    it('is examples/calendar.ts', () => {
      expect(exampleIn(path)).toBe(read('examples/calendar.ts'));
    });
  },
);

describe('the example in README.md', () => {
  it('has at most twenty lines', () => {
    expect(exampleIn('README.md')?.trim().split('\n').length).toBeLessThanOrEqual(20);
  });

  it('compiles against the built library', () => {
    const tsc = fileURLToPath(new URL('node_modules/.bin/tsc', root));
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    const compile = () =>
      execFileSync(tsc, [...options, '--ignoreConfig', 'examples/calendar.ts'], {
        cwd: root,
        encoding: 'utf8',
      });
    expect(compile).not.toThrow();
  });
});
