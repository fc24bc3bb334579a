import type { Logger } from 'pino';
import { isThenable } from '../promises.js';

/** What is written to of a logger. */
export type QuietLogger = Readonly<
  Record<'debug' | 'info' | 'warn' | 'error', (entry: object, text: string) => void>
>;

/** A logger of the author's, whose failures reach nobody: there is no other place to tell of them. */
export function quietLogger(logger: Logger): QuietLogger {
  const quiet = (level: keyof QuietLogger) => (entry: object, text: string) => {
    try {
      const answer: unknown = logger[level](entry, text);
      if (isThenable(answer)) answer.then(undefined, () => undefined);
    } catch {
      // What was logged is lost, and the server goes on.
    }
  };
  return { debug: quiet('debug'), info: quiet('info'), warn: quiet('warn'), error: quiet('error') };
}
