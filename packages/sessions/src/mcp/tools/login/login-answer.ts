import type { PendingLogin, StartedLogin } from '../../../login/pending-login.js';
import type { LoginFailure } from '../../../session/session-events.js';
import type { AccountRecord } from '../../../session/session-record.js';
import type { LoginCall } from './login-call.js';

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
