import type { ClientKey } from '../limits/client-key.js';
import type { MaybePromise } from '../time/promises.js';

/** The caller whom an access token names. */
export interface Principal {
  readonly issuer: string;
  /** The claim `sub`, or the one that the operator configured. */
  readonly subject: string;
  readonly clientId: string;
  /** The value of `sessionClaim`; absent if the option is not set or the token lacks the claim. */
  readonly session?: string | undefined;
  readonly scopes: readonly string[];
  /** When the token expires, on the clock of this process. */
  readonly expiresAtMs: number;
}

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

/** What access control reads of a request. */
export interface AccessRequest {
  /** The `Authorization` header. */
  readonly authorization: string | null;
  readonly origin: RequestOrigin;
  /** The client key whose rate limits apply; absent for requests of this machine, and for unknown addresses. */
  readonly clientKey: ClientKey | undefined;
}

/** Why a request is refused, for the client. */
export interface Refusal {
  readonly status: 401 | 403 | 429 | 503;
  /** The error code of RFC 6750 section 3.1; absent for a request without a token. */
  readonly error?: 'invalid_token' | 'insufficient_scope';
  readonly description: string;
  readonly retryAfterSeconds?: number;
}

/** Whether a request is admitted, and for which principal. Open access has no principals. */
export type Admission =
  | { readonly isAdmitted: true; readonly principal: Principal | undefined }
  | { readonly isAdmitted: false; readonly refusal: Refusal };

/** Decides which requests reach the MCP endpoint. */
export interface Access {
  /**
   * Returns the metadata of the authorization server (RFC 8414), discovered once. Absent without an authorization
   * server.
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  issuerMetadata?(): Promise<Record<string, unknown>>;
  /** @throws only for faults of this server */
  admit(request: AccessRequest): MaybePromise<Admission>;
}

export function refused(refusal: Refusal): Admission {
  return { isAdmitted: false, refusal };
}

const REMOTE: Refusal = {
  status: 403,
  description:
    'This server accepts requests of its own machine only. Yours came from another machine, or through a proxy or tunnel. Ask the operator to require bearer tokens, or to open the server to the network (option `access`).',
};

/** Admits requests without authentication: of this machine only, or of the whole network. */
export class OpenAccess implements Access {
  readonly #isOpenToNetwork: boolean;

  constructor(isOpenToNetwork: boolean) {
    this.#isOpenToNetwork = isOpenToNetwork;
  }

  admit({ origin }: AccessRequest): Admission {
    if (origin === 'remote' && !this.#isOpenToNetwork) return refused(REMOTE);
    return { isAdmitted: true, principal: undefined };
  }
}
