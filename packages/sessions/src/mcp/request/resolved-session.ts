import type { SessionId } from '../../session/ids.js';
import type { EndReason, SessionRecord } from '../../session/session-record.js';

/** The session that a request names, as it was when the request arrived. */
export type ResolvedSession =
  | {
      readonly state: 'live';
      readonly record: SessionRecord;
      /** The handle in the request; absent if the connection or the caller determines the session. */
      readonly handle: SessionId | undefined;
    }
  | { readonly state: 'ended'; readonly reason: EndReason }
  | { readonly state: 'unknown' }
  | { readonly state: 'none' };

/**
 * Why a request cannot use its session, for the model; `undefined` if it can.
 * @param servesPending whether the request may use a pending handle
 */
export function refusalOf(resolved: ResolvedSession, servesPending: boolean): string | undefined {
  switch (resolved.state) {
    case 'none':
      return undefined;
    case 'live':
      return resolved.record.kind === 'pending-handle' && !servesPending
        ? 'This handle belongs to a login that is not finished. Call `login` with it until it returns the session handle, then use that one.'
        : undefined;
    case 'unknown':
      return 'No session has this handle. Call `login` without `session` to get a new one.';
    case 'ended':
      return `The session of this handle has ended: ${whyEnded(resolved.reason)}. ${nextStepAfter(resolved.reason)}`;
  }
}

function nextStepAfter(reason: EndReason): string {
  return reason === 'replaced'
    ? 'Pass the `session` that the last `login` call returned. If you do not have it, call `login` without `session`.'
    : 'Call `login` without `session` to get a new one.';
}

function whyEnded(reason: EndReason): string {
  switch (reason) {
    case 'logout':
      return 'its user logged out';
    case 'idle':
      return 'it was not used for too long';
    case 'absolute':
      return 'its login reached its longest lifetime';
    case 'disconnect':
      return 'its client disconnected';
    case 'account_cap':
      return 'its user has logged in to too many other sessions';
    case 'other_user':
      return 'another user has logged in to it';
    case 'provider_logout':
      return 'its user logged out at the provider';
    case 'replaced':
      return 'the login was finished and has a new handle';
    case 'login_expired':
      return 'its login was not finished in time';
    case 'operator':
    case 'deleted':
    case 'connection_expired':
    case 'cap':
    case 'shutdown':
      return 'the server closed it';
  }
}
