import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

describe('the code in docs/migrating.md', () => {
  const blocks = [...read('docs/migrating.md').matchAll(/```ts\n([\s\S]*?)```/g)].map(
    ([, code = '']) => code,
  );
  const [before = '', ...after] = blocks;

  it('after is the one in examples/', () => {
    expect(after).toEqual([read('examples/express.ts'), read('examples/notes.ts')]);
  });

  it('before compiles against the SDK', () => {
    // In the repository, where the packages are found that it imports.
    const folder = new URL('test/examples/dist/', root);
    mkdirSync(folder, { recursive: true });
    const file = fileURLToPath(new URL('before-migrating.ts', folder));
    writeFileSync(file, before);
    const tsc = fileURLToPath(new URL('node_modules/.bin/tsc', root));
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023'];
    const compile = () =>
      execFileSync(tsc, [...options, '--types', 'node', '--ignoreConfig', file], { encoding: 'utf8' });
    expect(before).toContain('Record<string, StreamableHTTPServerTransport>');
    expect(compile).not.toThrow();
  });
});
