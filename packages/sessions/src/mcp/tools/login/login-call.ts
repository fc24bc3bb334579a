import { SessionError } from '../../../errors.js';
import type { FailedLogin, LoginSource } from '../../../login/login-attempt.js';
import type { PendingLogin, StartedLogin } from '../../../login/pending-login.js';
import { ANONYMOUS_OWNER, parseSessionId, type SessionId } from '../../../session/ids.js';
import type { AccountRecord, SessionRecord, SessionSnapshot } from '../../../session/session-record.js';
import type { SessionRegistry } from '../../../session/session-registry.js';
import type { ClientInfo } from '../../request/client-capabilities.js';
import type { Era, RequestContext } from '../../request/context.js';
import { connectsForEachCall } from './elicitation-policy.js';

/** One call that starts or continues a login, and its session. */
export interface LoginCall {
  readonly era: Era;
  /** The caller, as far as the check of the login depends on it. */
  readonly from: Omit<LoginSource, 'clientName'>;
  readonly provider: string;
  /** The scopes that the login must have besides the usual ones. */
  readonly scopes: readonly string[];
  /** Whether the user logs in again although the login is valid. */
  readonly renew: boolean;
  /** Whether the call has canceled the pending login. */
  readonly isRestart?: boolean;
  readonly record: SessionRecord;
  readonly snapshot: SessionSnapshot;
  /** The session handle or pending handle, if sessions are named by handles. */
  readonly handle: SessionId | undefined;
  /** Whether this call has created the handle, so that no client has it yet. */
  readonly isNew: boolean;
  /** Whether the session ends with this call, because its client is known to open a new connection for every call. */
  readonly isShortLived: boolean;
}

/** The caller of a request. */
export function originOf({ origin, principal, clientKey }: RequestContext): LoginCall['from'] {
  return { origin, initiator: principal, clientKey };
}

/**
 * Finds the session of a `login` call. In open access, a 2026 client over HTTP that names no session gets a pending
 * handle. It sends the handle with its next call, or with the next round of this one.
 * @throws SessionError `login_failed`, `limit_reached`, `too_many_requests`
 */
export async function loginCallOf(
  registry: SessionRegistry,
  context: RequestContext,
  asked: Pick<LoginCall, 'provider' | 'scopes' | 'renew'>,
  { handleOfRound, client }: { handleOfRound: string | undefined; client: ClientInfo | undefined },
): Promise<LoginCall> {
  const { era, resolved } = context;
  const from = originOf(context);
  const callOn = (record: SessionRecord, handle: SessionId | undefined, isNew = false): LoginCall => {
    const snapshot = { ref: record.ref, epoch: record.epoch };
    // Sessions with a handle, and those of bearer access, outlive the client's connection.
    const isTied = handle === undefined && from.initiator === undefined;
    const isShortLived = isTied && connectsForEachCall(client, era);
    return { era, from, ...asked, record, handle, isNew, isShortLived, snapshot };
  };
  if (resolved.state === 'live') {
    const record = await registry.get(resolved.record.ref);
    if (record) return callOn(record, resolved.handle);
  }
  if (handleOfRound !== undefined) {
    const resolved = await registry.resolve('handle', handleOfRound);
    if (resolved.state === 'live') return callOn(resolved.record, parseSessionId(handleOfRound));
  }
  if (resolved.state === 'live' || handleOfRound !== undefined) {
    throw new SessionError(
      'login_failed',
      'This login was not completed in time. Call `login` to start a new one.',
    );
  }
  const { id, record } = await registry.start('pending-handle', ANONYMOUS_OWNER, context.clientKey);
  return callOn(record, id, true);
}

/** A login that is not completed, or has failed. */
type UnfinishedLogin =
  | {
      readonly kind: 'pending';
      readonly login: StartedLogin;
      /** The answer of the client to the elicitation, unless it accepted. */
      readonly refusal?: 'decline' | 'cancel';
    }
  /** The presented code is wrong; `login` is the pending login, if there is one. */
  | { readonly kind: 'wrong_code'; readonly login: PendingLogin | undefined }
  | FailedLogin;

/** The state of a login. `finished`: a user has logged in, and a pending handle may have to be replaced. */
export type LoginStep = UnfinishedLogin | { readonly kind: 'finished' };

/** The state of a login as the result of a call. */
export type LoginAnswer =
  | UnfinishedLogin
  | {
      readonly kind: 'authenticated';
      /** The session with the account. */
      readonly record: SessionRecord;
      readonly account: AccountRecord;
      /** Whether the last refresh failed. */
      readonly isAtRisk: boolean;
      /** The session handle, if sessions are named by handles. */
      readonly handle: LoginCall['handle'];
      /** Whether the session was signed out since the call was made: by a logout, or by the login of another user. */
      readonly wasSignedOut: boolean;
    };
