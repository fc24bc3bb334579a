import { inspect } from 'node:util';

/** Shorter tokens could also be part of ordinary words. */
const MIN_LENGTH = 8;

/**
 * Returns the error, or another one in its place if its text, causes or properties contain the access token: errors are
 * shown to models, and logged.
 */
export function withoutToken(error: unknown, accessToken: string): unknown {
  if (accessToken.length < MIN_LENGTH) return error;
  return inspect(error, { depth: 8, maxStringLength: null }).includes(accessToken)
    ? new TypeError('The call failed. Its error contains the access token and is not shown.')
    : error;
}
