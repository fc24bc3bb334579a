import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const REQUESTS = '3000';
/** The same requests in every run; `npm run fuzz` uses another seed each time. */
const SEED = '20260728';

it('no request makes the server fail, hang, leak memory or reveal a session to another [security 8]', async () => {
  const args = ['run', '--silent', 'fuzz', '--', '--requests', REQUESTS, '--seed', SEED];
  const { stdout } = await run('npm', args);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('fuzz: all held');
});
