import { readFileSync } from 'node:fs';
import { ConfigurationError } from '../configuration-error.js';

/** Where a secret can be. At most one is given. */
export interface SecretSource {
  readonly value?: string | undefined;
  readonly file?: string | undefined;
  /** The name of an environment variable. */
  readonly variable?: string | undefined;
}

/**
 * Reads a secret. No message contains it.
 * @param nameOf how messages name the setting of the file, or of the variable
 * @throws ConfigurationError if it cannot be read, or is empty
 */
export function readSecret(
  { value, file, variable }: SecretSource,
  environment: NodeJS.ProcessEnv,
  nameOf: (source: 'file' | 'variable') => string,
): string | undefined {
  if (file !== undefined) return readSecretFile(file, nameOf('file'));
  if (variable === undefined) return value;
  const text = environment[variable]?.trim();
  if (text) return text;
  throw new ConfigurationError(
    `${nameOf('variable')} names the variable ${variable}, which is not set. Set it.`,
  );
}

function readSecretFile(file: string, name: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    throw new ConfigurationError(
      `${name}: ${file} ${code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`}. Write the secret to that file, readable for this user only.`,
      { cause },
    );
  }
  if (text) return text;
  throw new ConfigurationError(`${name}: ${file} is empty. Write the secret to that file.`);
}
