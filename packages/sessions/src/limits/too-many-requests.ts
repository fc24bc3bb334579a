import { SessionError } from '../errors.js';
import { waitInWords } from './wait-in-words.js';

/**
 * The error of whoever asked for too much.
 * @param what a sentence that says of what
 */
export function tooManyRequests(what: string, retryAfterSeconds: number): SessionError {
  return new SessionError('too_many_requests', `${what} Try again in ${waitInWords(retryAfterSeconds)}.`, {
    retryAfterSeconds,
  });
}
