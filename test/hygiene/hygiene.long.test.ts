import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);

/** Only Linux provides the memory of a process as a file, and only with the permission to trace it. */
const isReadable = process.platform === 'linux' && process.getuid?.() === 0;

describe.skipIf(!isReadable)('the memory of a server', () => {
  it('shows no token in a heap snapshot, and no session key after sign-out [security 30, 31, 32]', async () => {
    const { stdout } = await run('npm', ['run', '--silent', 'hygiene', '--', '--sessions', '10']);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('hygiene: all held');
  });
});
