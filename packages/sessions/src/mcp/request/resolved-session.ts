import type { SessionId } from '../../session/ids.js';
import type { EndReason, SessionRecord } from '../../session/session-record.js';

/** The session that a request named, as it stood when the request came in. */
export type ResolvedSession =
  | {
      readonly state: 'live';
      readonly record: SessionRecord;
      /** The handle that named it; none where the connection did. */
      readonly handle: SessionId | undefined;
    }
  | { readonly state: 'ended'; readonly reason: EndReason }
  | { readonly state: 'unknown' }
  | { readonly state: 'none' };

/**
 * Why nothing is done in the named session, for the model to read; `undefined` if something may be.
 * @param servesPending whether what was asked for is there for logins that are not finished
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
      return `The session of this handle has ended: ${whyEnded(resolved.reason)}. ${whereNow(resolved.reason)}`;
  }
}

function whereNow(reason: EndReason): string {
  return reason === 'replaced'
    ? 'Pass the `session` that the `login` call returned which finished it; if you do not have that, call `login` without `session`.'
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
      return 'its client went away';
    case 'account_cap':
      return 'its user has logged in to too many other sessions since';
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
