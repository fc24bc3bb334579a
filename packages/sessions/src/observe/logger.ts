import { isThenable } from '../time/promises.js';

/** The methods of a logger that the library calls. Loggers of pino have them. */
export type Logger = Readonly<
  Record<'debug' | 'info' | 'warn' | 'error', (entry: object, message: string) => void>
>;

/** A logger whose errors are ignored: there is no other place to report them. Without one, nothing is logged. */
export function quietLogger(logger: Logger | undefined): Logger {
  const quiet = (level: keyof Logger) => (entry: object, message: string) => {
    try {
      const answer: unknown = logger?.[level](entry, message);
      if (isThenable(answer)) answer.then(undefined, () => undefined);
    } catch {
      // The entry is lost; the server continues.
    }
  };
  return { debug: quiet('debug'), info: quiet('info'), warn: quiet('warn'), error: quiet('error') };
}
