import type { ZodError } from 'zod';

/** The command line or the environment cannot be used. Its message is one line that names the next step. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/**
 * Turns the first problem zod found into one line.
 *
 * @param nameOf how a setting is written, e.g. `--port` for `port`
 */
export function configurationError(cause: ZodError, nameOf: (setting: string) => string): ConfigurationError {
  const [issue] = cause.issues;
  const setting = String(issue?.path[0]);
  return new ConfigurationError(
    `${nameOf(setting)} ${issue?.message}. Run with --help to see what can be set.`,
    {
      cause,
    },
  );
}
