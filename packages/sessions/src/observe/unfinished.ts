import type { QuietLogger } from './quiet-logger.js';

/** What a server had not finished when it closed. */
export interface Unfinished {
  /** How many calls were cut. */
  readonly cutCalls: number;
  /** How many logins' tokens their providers have not confirmed to be revoked. */
  readonly notRevoked: number;
}

/** Tells the operator, if there is something to tell. */
export function logUnfinished(logger: QuietLogger, { cutCalls, notRevoked }: Unfinished): void {
  if (cutCalls > 0) {
    logger.warn(
      { event: 'shutdown.calls_cut', calls: cutCalls },
      `${cutCalls} ${cutCalls === 1 ? 'call was' : 'calls were'} cut off: not answered within the time that closing waits.`,
    );
  }
  if (notRevoked > 0) {
    logger.warn(
      { event: 'shutdown.not_revoked', logins: notRevoked },
      `${notRevoked} not revoked: ${notRevoked === 1 ? 'a login was' : 'these logins were'} wiped here, but the provider has not confirmed to have revoked the tokens within the time that closing waits. They stay valid there until they expire.`,
    );
  }
}
