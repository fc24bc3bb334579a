import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';

const MODULES = ['end-on-signal', 'log-uncaught-errors'].map(
  (name) => new URL(`../dist/${name}.js`, import.meta.url),
);

it('a process whose shutdown fails ends with code 1, although it survives uncaught errors', async () => {
  const script = `
    const [{ endOnSignal }, { logUncaughtErrors }] = await Promise.all(${JSON.stringify(MODULES)}.map((url) => import(url)));
    logUncaughtErrors({ error: () => undefined });
    endOnSignal({ close: () => Promise.reject(new Error('closing fails')) });
    process.stdin.resume();
    process.kill(process.pid, 'SIGTERM');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  expect(await once(child, 'exit')).toEqual([1, null]);
});
