import type { Logger } from 'pino';

/** The events of an error that nothing catches, and of a rejection that nothing handles. */
const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Keeps the process running when a tool's code throws where nothing can catch it, for example in a timer: if the
 * process ended, every user would be logged out. Logs the name and the stack of the error. The message is not logged,
 * because it may contain a token.
 */
export function surviveMistakes(logger: Logger): void {
  for (const event of EVENTS) {
    process.on(event, (reason: unknown) => logger.error({ err: whereabouts(reason) }, event));
  }
}

function whereabouts(reason: unknown): { name: string; stack?: string } {
  if (!(reason instanceof Error)) return { name: typeof reason };
  const frames = String(reason.stack)
    .split('\n')
    .filter((line) => line.startsWith('    at '));
  return { name: reason.name, stack: frames.join('\n') };
}
