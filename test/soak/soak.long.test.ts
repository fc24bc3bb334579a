import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const PATIENCE_MS = 120_000;

it('sessions leave nothing behind, and take no more the more there are [security 38]', {
  timeout: PATIENCE_MS,
}, async () => {
  const { stdout } = await run('npm', ['run', '--silent', 'soak', '--', '--short']);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('soak: all held');
});
