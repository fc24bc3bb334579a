import { SessionError } from '../errors.js';

/**
 * The error for a client that has exceeded a limit.
 * @param message a sentence that names the limit
 */
export function tooManyRequests(message: string, retryAfterSeconds: number): SessionError {
  return new SessionError('too_many_requests', `${message} Try again in ${formatWait(retryAfterSeconds)}.`, {
    retryAfterSeconds,
  });
}

/** A waiting time in words. Above two minutes it is rounded up to whole minutes. */
export function formatWait(seconds: number): string {
  if (seconds > 120) return `${Math.ceil(seconds / 60)} minutes`;
  return seconds === 1 ? 'a second' : `${seconds} seconds`;
}
