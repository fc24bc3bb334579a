import { SessionError } from '../../../errors.js';
import type { LoginSource } from '../../../login/login-attempt.js';
import type { PendingLogin, StartedLogin } from '../../../login/pending-login.js';
import { parseSessionId, type SessionId } from '../../../session/ids.js';
import type { LoginFailure } from '../../../session/session-events.js';
import type { AccountRecord, SessionRecord, SessionSnapshot } from '../../../session/session-record.js';
import type { SessionRegistry } from '../../../session/session-registry.js';
import type { ClientInfo } from '../../request/client-capabilities.js';
import type { Era, RequestContext } from '../../request/context.js';
import { connectsForEachCall } from './elicitation-policy.js';

/** One call of the `login` tool, and the session it is about. */
export interface LoginCall {
  readonly era: Era;
  /** Where the call comes from, as far as the check of its login depends on it. */
  readonly from: Omit<LoginSource, 'clientName'>;
  readonly provider: string;
  readonly record: SessionRecord;
  readonly snapshot: SessionSnapshot;
  /** The handle of a 2026 session, or of the login on its way to one. */
  readonly handle: SessionId | undefined;
  /** Whether that handle is new: nobody but this call knows it. */
  readonly isNew: boolean;
  /** Whether the session ends with this call, because its client is known to open a new connection for every call. */
  readonly isShortLived: boolean;
}

/** Where a call comes from. */
export function originOf({ origin, principal, clientKey }: RequestContext): LoginCall['from'] {
  return { origin, initiator: principal, clientKey };
}

/**
 * Finds the session of a `login` call. A 2026 client over HTTP that names none, in open access, gets a pending handle, which
 * comes back with its next call, or with the next round of this one.
 * @throws SessionError `login_failed`, `limit_reached`, `too_many_requests`
 */
export async function loginCallOf(
  registry: SessionRegistry,
  context: RequestContext,
  provider: string,
  { handleOfRound, client }: { handleOfRound: string | undefined; client: ClientInfo | undefined },
): Promise<LoginCall> {
  const { era, resolved } = context;
  const from = originOf(context);
  const callOn = (record: SessionRecord, handle: SessionId | undefined, isNew = false): LoginCall => {
    const snapshot = { ref: record.ref, epoch: record.epoch };
    // Sessions with a handle, and those of bearer access, outlive the client's connection.
    const isTied = handle === undefined && from.initiator === undefined;
    const isShortLived = isTied && connectsForEachCall(client, era);
    return { era, from, provider, record, handle, isNew, isShortLived, snapshot };
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
      'This login was not finished in time. Call `login` to start a new one.',
    );
  }
  const { id, record } = await registry.start('pending-handle', 'anonymous', context.clientKey);
  return callOn(record, id, true);
}

/** A login that has not come to its good end. */
type UnfinishedLogin =
  | {
      readonly kind: 'pending';
      readonly login: StartedLogin;
      /** The client's answer to the question whether to open the link, unless it accepted. */
      readonly refusal?: 'decline' | 'cancel';
    }
  /** A code was presented that opens nothing; `login` is what is under way. */
  | { readonly kind: 'wrong_code'; readonly login: PendingLogin | undefined }
  | { readonly kind: 'failed'; readonly failure: LoginFailure };

/** How far a call has got with its login; `finished`: somebody has logged in, and the session may need its handle. */
export type LoginStep = UnfinishedLogin | { readonly kind: 'finished' };

/** What a call says of its login. */
export type LoginAnswer =
  | UnfinishedLogin
  | {
      readonly kind: 'authenticated';
      readonly account: AccountRecord;
      /** Where sessions have handles: that of the session. */
      readonly handle: LoginCall['handle'];
    };
