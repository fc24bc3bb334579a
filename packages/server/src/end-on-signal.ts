import type { RunningServer } from './server.js';

const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** npm passes Ctrl-C on although the terminal has sent it to every process already. */
const ECHO_MS = 500;
/** A process that is told to end at once may still wipe. */
const WIPE_MS = 1000;
/** How long ending may take before the operator is told what it waits for. */
const QUIET_MS = 500;
/** How often a process that npm has started looks whether npm is still there. */
const PARENT_CHECK_MS = 250;

/**
 * Ends this process in an orderly way when a signal asks for that: calls finish, logins are wiped and revoked. A second
 * signal wipes and ends at once, with exit code 1.
 */
export function endOnSignal(server: RunningServer): void {
  let first: { readonly signal: string; readonly atMs: number } | undefined;
  let exitCode = 0;
  const end = (signal: string) => {
    if (first === undefined) {
      first = { signal, atMs: performance.now() };
      setTimeout(() => process.stderr.write(WAITING), QUIET_MS).unref();
      // Idle connections kept open by `fetch` would hold the process for some seconds more.
      void server.close().then(
        () => process.exit(exitCode),
        // A process that cannot end in order must not hold its port for that.
        () => process.exit(1),
      );
    } else if (signal !== PARENT_GONE && !isEcho(signal, first)) {
      exitCode = 1;
      setTimeout(() => process.exit(exitCode), WIPE_MS);
      void server.close({ drainMs: 0 });
    }
  };
  for (const signal of END_SIGNALS) process.on(signal, end);
  if (process.env.npm_lifecycle_event !== undefined) onceParentIsGone(() => end(PARENT_GONE));
}

const PARENT_GONE = 'parent gone';

function isEcho(signal: string, first: { readonly signal: string; readonly atMs: number }): boolean {
  const isByNpm = process.env.npm_lifecycle_event !== undefined;
  return isByNpm && signal === first.signal && performance.now() - first.atMs <= ECHO_MS;
}

const WAITING =
  'Closing: calls in flight may finish, then tokens are revoked. Send another signal to end at once.\n';

/** npm passes SIGHUP on to nothing that it has started, and nothing at all when it is killed. */
function onceParentIsGone(callback: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    callback();
  }, PARENT_CHECK_MS);
  timer.unref();
}
