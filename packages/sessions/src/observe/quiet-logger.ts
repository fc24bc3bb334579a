import type { Logger } from 'pino';
import { isThenable } from '../time/promises.js';

/** The methods of a logger that the library calls. */
export type QuietLogger = Readonly<
  Record<'debug' | 'info' | 'warn' | 'error', (entry: object, text: string) => void>
>;

/** The author's logger, whose errors are ignored: there is no other place to report them. */
export function quietLogger(logger: Logger): QuietLogger {
  const quiet = (level: keyof QuietLogger) => (entry: object, text: string) => {
    try {
      const answer: unknown = logger[level](entry, text);
      if (isThenable(answer)) answer.then(undefined, () => undefined);
    } catch {
      // The entry is lost; the server continues.
    }
  };
  return { debug: quiet('debug'), info: quiet('info'), warn: quiet('warn'), error: quiet('error') };
}
