const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** As long as a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Keeps this process alive, and has it end in an orderly way when a signal asks for that.
 * @param onSignal called for every such signal; clients and package runners may well send several
 * @returns a function that lets the process go
 */
export function holdProcess(onSignal: () => void): () => void {
  const hold = setInterval(() => undefined, MAX_TIMER_MS);
  for (const signal of END_SIGNALS) process.on(signal, onSignal);
  return () => {
    clearInterval(hold);
    for (const signal of END_SIGNALS) process.off(signal, onSignal);
  };
}
