import { SessionError } from '../errors.js';

/**
 * The error of whoever asked for too much.
 * @param what a sentence that says of what
 */
export function tooOften(what: string, retryAfterSeconds: number): SessionError {
  return new SessionError('too_many_requests', `${what} Try again in ${inWords(retryAfterSeconds)}.`, {
    retryAfterSeconds,
  });
}

function inWords(seconds: number): string {
  if (seconds > 120) return `${Math.ceil(seconds / 60)} minutes`;
  return seconds === 1 ? 'a second' : `${seconds} seconds`;
}
