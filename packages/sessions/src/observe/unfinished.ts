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
