import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
/** The same requests every time; `npm run fuzz` takes another seed each. */
const SEED = '20260728';

/** The last line that the fuzzer prints, whether it fails or not. */
async function verdict(...options: string[]): Promise<string | undefined> {
  const args = ['run', '--silent', 'fuzz', '--', '--seed', SEED, ...options];
  const { stdout } = await run('npm', args).catch((failed: { stdout: string }) => failed);
  const lines = stdout.trimEnd().split('\n');
  return lines.findLast((line) => line.startsWith('fuzz'));
}

it('no access token opens what is not its user’s, and none that has a flaw opens anything [security 4, 9]', async () => {
  expect(await verdict('--access', 'bearer', '--requests', '3000')).toBe('fuzz: all held');
});

describe('the fuzzer finds', () => {
  it('requests that cost much CPU', async () => {
    const found = await verdict('--requests', '0', '--stretches', '1', '--fault', 'cpu');
    expect(found).toMatch(/: it costs \d+ ms of CPU, and may cost \d+$/);
  });

  it('clients that make the server keep much', async () => {
    const options = ['--access', 'bearer', '--requests', '0', '--stretches', '1', '--fault', 'memory'];
    expect(await verdict(...options)).toContain('no client makes the server keep more than');
  });
});
