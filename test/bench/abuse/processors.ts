import { execFileSync } from 'node:child_process';
import { availableParallelism, setPriority } from 'node:os';

/** Has a process run on one processor only, with all of its threads. Needs Linux and two processors. */
export function pin(pid: number, processor: number): void {
  if (process.platform !== 'linux' || availableParallelism() < 2) return;
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', `${processor}`, `${pid}`], {
    stdio: 'ignore',
  });
}

/** Lets a process go before others, or after them. */
export function prioritize(pid: number, priority: number): void {
  try {
    setPriority(pid, priority);
  } catch {
    // Only root may prefer a process. Without that, what else the machine does is measured, too.
  }
}
