import type { ZodError } from 'zod';

/** The command line or the environment is invalid. The message is one line that says what to do. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/**
 * Turns the first issue of zod into one line.
 *
 * @param nameOf returns the name that the operator knows: `--port` for `port`
 */
export function configurationError(cause: ZodError, nameOf: (setting: string) => string): ConfigurationError {
  const [issue] = cause.issues;
  const setting = String(issue?.path[0]);
  return new ConfigurationError(
    `${nameOf(setting)} ${issue?.message}. Run with --help to see all settings.`,
    {
      cause,
    },
  );
}
