import { execFileSync } from 'node:child_process';
import { cpus, setPriority } from 'node:os';

/** Pins a process with all its threads to one processor. Needs Linux and two processors. */
export function pin(pid: number, processor: number): void {
  // `availableParallelism` counts only those that this process may use, which is one once it is pinned.
  if (process.platform !== 'linux' || cpus().length < 2) return;
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', `${processor}`, `${pid}`], {
    stdio: 'ignore',
  });
}

/** Raises or lowers the priority of a process. */
export function prioritize(pid: number, priority: number): void {
  try {
    setPriority(pid, priority);
  } catch {
    // Only root may raise a priority. Without it, other load of the machine affects the measurement.
  }
}
