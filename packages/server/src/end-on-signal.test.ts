import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';

const MODULES = ['end-on-signal', 'survive-mistakes'].map(
  (name) => new URL(`../dist/${name}.js`, import.meta.url),
);

it('a process that cannot close in order ends with code 1, although it survives mistakes otherwise', async () => {
  const script = `
    const [{ endOnSignal }, { surviveMistakes }] = await Promise.all(${JSON.stringify(MODULES)}.map((url) => import(url)));
    surviveMistakes({ error: () => undefined });
    endOnSignal({ close: () => Promise.reject(new Error('closing fails')) });
    process.stdin.resume();
    process.kill(process.pid, 'SIGTERM');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  expect(await once(child, 'exit')).toEqual([1, null]);
});
