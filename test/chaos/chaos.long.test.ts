import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { isInstalled } from '../support/installed-program.js';
import { REDIS } from '../support/redis-server.js';

const run = promisify(execFile);

describe.skipIf(!isInstalled(REDIS))(
  'three servers that are killed, paused and cut off for two minutes',
  () => {
    it('lose no login and no call beyond those that the faults explain [security 20, 50, 53]', async () => {
      const extent = ['--minutes', '2', '--users', '40'];
      // A failed run exits with 1, and the error has its output.
      const { stdout } = await run('npm', ['run', '--silent', 'chaos', '--', ...extent]);
      expect(stdout.trimEnd().split('\n').at(-1)).toBe('chaos: all held');
    });
  },
);
