import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);

it('sessions leak no memory, and each needs the same memory at any number of sessions [security 38]', async () => {
  const { stdout } = await run('npm', ['run', '--silent', 'soak', '--', '--short']);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('soak: all held');
});
