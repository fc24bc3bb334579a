import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

describe('the example in the README', () => {
  const example = /```ts\n([\s\S]*?)```/.exec(read('README.md'))?.[1];

  it('is the one in examples/, and has at most twenty lines', () => {
    expect(example).toBe(read('examples/calendar.ts'));
    expect(example?.trim().split('\n').length).toBeLessThanOrEqual(20);
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
