import { inspect } from 'node:util';

/** Shorter tokens are found in ordinary words. */
const MIN_LENGTH = 8;

/**
 * What a call failed with, unless it quotes the access token in its text, its causes or its properties: errors are
 * shown to models, and logged.
 */
export function withoutToken(error: unknown, accessToken: string): unknown {
  if (accessToken.length < MIN_LENGTH) return error;
  return inspect(error, { depth: 8, maxStringLength: null }).includes(accessToken)
    ? new TypeError('The call failed. Its error contains the access token and is not shown.')
    : error;
}
