import type { Logger } from 'pino';

/** What Node raises when nothing catches what was thrown, or waits for what was rejected. */
const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Keeps the process running when a tool's code throws where nothing can catch it, such as in a timer: a process that
 * ends takes every user's login with it. Where it was thrown is logged; the message is not, because it may quote a
 * token.
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
