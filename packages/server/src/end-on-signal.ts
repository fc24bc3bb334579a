import type { RunningServer } from './server.js';

const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/**
 * Within this time, two signals count as one request: npm forwards Ctrl-C, which the terminal has already sent to every
 * process, and service managers send SIGHUP right after SIGTERM (systemd: `SendSIGHUP`).
 */
const ECHO_MS = 500;
/** The time to wipe tokens for a process that ends at once. */
const WIPE_MS = 1000;
/** The time after which a message tells the operator what the shutdown waits for. */
const QUIET_MS = 500;
/** The interval in which a process that npm started checks whether npm is still running. */
const PARENT_CHECK_MS = 250;

/**
 * Closes the server and ends the process on SIGINT, SIGTERM and SIGHUP: calls finish, then logins are wiped and
 * revoked. A second signal wipes them and ends the process at once, with exit code 1.
 */
export function endOnSignal(server: RunningServer): void {
  let first: { readonly signal: string; readonly atMs: number } | undefined;
  let exitCode = 0;
  const end = (signal: string) => {
    if (first === undefined) {
      first = { signal, atMs: performance.now() };
      setTimeout(() => process.stderr.write(WAITING), QUIET_MS).unref();
      // Idle connections that `fetch` keeps open would delay the exit by some seconds.
      void server.close().then(
        () => process.exit(exitCode),
        // A process whose shutdown fails must not keep its port.
        () => process.exit(1),
      );
    } else if (signal !== PARENT_EXITED && !isEcho(signal, first)) {
      exitCode = 1;
      setTimeout(() => process.exit(exitCode), WIPE_MS);
      void server.close({ drainMs: 0 });
    }
  };
  for (const signal of END_SIGNALS) process.on(signal, end);
  if (process.env.npm_lifecycle_event !== undefined) onParentExit(() => end(PARENT_EXITED));
}

const PARENT_EXITED = 'parent exited';

function isEcho(signal: string, first: { readonly signal: string; readonly atMs: number }): boolean {
  const isByNpm = process.env.npm_lifecycle_event !== undefined;
  const isOneRequest = isByNpm ? signal === first.signal : signal !== first.signal;
  return isOneRequest && performance.now() - first.atMs <= ECHO_MS;
}

const WAITING =
  'Closing: calls in flight may finish, then tokens are revoked. Send another signal to end at once.\n';

/** npm does not forward SIGHUP, and forwards no signal when it is killed. */
function onParentExit(callback: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    callback();
  }, PARENT_CHECK_MS);
  timer.unref();
}
