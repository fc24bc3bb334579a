import type { Logger } from 'pino';

/** The events of an uncaught error, and of an unhandled rejection. */
const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Logs uncaught errors, such as those that a tool throws in a timer, and keeps the process running: if it ended, every
 * user would be logged out. The log contains the name and the stack of the error, but not its message, which may
 * contain a token.
 */
export function logUncaughtErrors(logger: Logger): void {
  for (const event of EVENTS) {
    process.on(event, (reason: unknown) => logger.error({ err: nameAndStackOf(reason) }, event));
  }
}

function nameAndStackOf(reason: unknown): { name: string; stack?: string } {
  if (!(reason instanceof Error)) return { name: typeof reason };
  const frames = String(reason.stack)
    .split('\n')
    .filter((line) => line.startsWith('    at '));
  return { name: reason.name, stack: frames.join('\n') };
}
