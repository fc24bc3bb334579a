/** The command line, the environment or the configuration file is invalid. The message says why, and what to do. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}
