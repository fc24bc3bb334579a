import type { Logger } from './logger.js';

/** The calls and revocations that a server had not finished when it closed. */
export interface Unfinished {
  /** The number of calls that were cut off. */
  readonly cutCalls: number;
  /** The number of logins whose revocation the provider has not confirmed. */
  readonly notRevoked: number;
}

/** Logs a warning for each number that is not 0. */
export function logUnfinished(logger: Logger, { cutCalls, notRevoked }: Unfinished): void {
  if (cutCalls > 0) {
    logger.warn(
      { event: 'shutdown.calls_cut', calls: cutCalls },
      `${cutCalls} ${cutCalls === 1 ? 'call was' : 'calls were'} cut off: the drain time ended before the answer.`,
    );
  }
  if (notRevoked > 0) {
    logger.warn(
      { event: 'shutdown.not_revoked', logins: notRevoked },
      `${notRevoked} ${notRevoked === 1 ? 'login was' : 'logins were'} not revoked: the tokens are wiped here, but the provider did not confirm their revocation before the drain time ended. They stay valid at the provider until they expire.`,
    );
  }
}
