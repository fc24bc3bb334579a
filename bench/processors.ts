import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus, setPriority } from 'node:os';

/** Pins a process with all its threads to one processor. Needs Linux and two processors. */
export function pin(pid: number, processor: number): void {
  // `availableParallelism` counts only those that this process may use, which is one once it is pinned.
  if (process.platform !== 'linux' || cpus().length < 2) return;
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', `${processor}`, `${pid}`], {
    stdio: 'ignore',
  });
}

/** Raises or lowers the priority of a process with all its threads, which collect its garbage. */
export function prioritize(pid: number, priority: number): void {
  try {
    // Linux has a priority for each thread; new threads have that of the thread that starts them.
    const threads = process.platform === 'linux' ? readdirSync(`/proc/${pid}/task`).map(Number) : [pid];
    for (const thread of threads) setPriority(thread, priority);
  } catch {
    // Only root may raise a priority. Without it, other load of the machine affects the measurement.
  }
}

/**
 * Lets a process, with all its threads, run only while no other process needs its processor: another one does not wait
 * for it, as it does for a process of low priority. Needs Linux.
 */
export function runWhenIdle(pid: number): void {
  if (process.platform !== 'linux') return;
  execFileSync('chrt', ['--all-tasks', '--idle', '--pid', '0', `${pid}`], { stdio: 'ignore' });
}
