import type { ClientKey } from '../limits/client-key.js';
import type { Principal } from './principal.js';

/**
 * Where a request comes from.
 *
 * - `local`: this machine. Its connection, the public URL and its `Host` are loopback, and nothing shows a proxy.
 * - `remote`: another machine, or a proxy or tunnel, as at least one of these shows.
 * - `unknown`: its connection is not known, and nothing else shows that it is remote.
 *
 * Only `local` is proof: a check that this machine is exempt from applies to `remote` and `unknown` requests.
 */
export type RequestOrigin = 'local' | 'remote' | 'unknown';

/** A request to be admitted. */
export interface ArrivingRequest {
  /** The `Authorization` header. */
  readonly authorization: string | null;
  readonly origin: RequestOrigin;
  /** The address that it counts for; absent for this machine's, and where it is not known. */
  readonly clientKey: ClientKey | undefined;
}

/** Why a request is not let in, for whoever sent it. */
export interface Refusal {
  readonly status: 401 | 403 | 429 | 503;
  /** The error code of RFC 6750 section 3.1; absent where no token was sent. */
  readonly error?: 'invalid_token' | 'insufficient_scope';
  readonly description: string;
  readonly retryAfterSeconds?: number;
}

/** Whether a request is let in, and as whom. In open access nobody says who they are. */
export type Admission =
  | { readonly isAdmitted: true; readonly principal: Principal | undefined }
  | { readonly isAdmitted: false; readonly refusal: Refusal };

/** Who may come in. */
export interface Access {
  /** Looks for whoever has to be asked who is who. @throws SessionError `provider_unavailable`, `provider_refused` */
  prepare(): Promise<void>;
  /**
   * Returns the metadata of the authorization server (RFC 8414), discovered once. Absent without an authorization
   * server.
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  describeIssuer?(): Promise<Record<string, unknown>>;
  /** @throws only what is a mistake of ours */
  admit(arrival: ArrivingRequest): Promise<Admission>;
}

/** Nobody comes in. */
export function refused(refusal: Refusal): Admission {
  return { isAdmitted: false, refusal };
}
