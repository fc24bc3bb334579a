import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
/** The same requests in every run; `npm run fuzz` uses another seed each time. */
const SEED = '20260728';

/** The last line that the fuzzer prints. */
async function verdict(...options: string[]): Promise<string | undefined> {
  const args = ['run', '--silent', 'fuzz', '--', '--seed', SEED, ...options];
  const { stdout } = await run('npm', args).catch((failed: { stdout: string }) => failed);
  const lines = stdout.trimEnd().split('\n');
  return lines.findLast((line) => line.startsWith('fuzz'));
}

it('accepts access tokens only for the sessions of their users, and no flawed token [security 4, 9]', async () => {
  expect(await verdict('--access', 'bearer', '--requests', '3000')).toBe('fuzz: all held');
});

describe('the fuzzer finds', () => {
  it('requests that use much CPU time', async () => {
    const found = await verdict('--requests', '0', '--stretches', '1', '--fault', 'cpu');
    expect(found).toMatch(/: it costs \d+ ms of CPU, and may cost \d+$/);
  });

  it('clients that make the server keep much memory', async () => {
    const options = ['--access', 'bearer', '--requests', '0', '--stretches', '1', '--fault', 'memory'];
    expect(await verdict(...options)).toContain('no client makes the server keep more than');
  });
});
