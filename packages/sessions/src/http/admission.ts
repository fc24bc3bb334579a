import type { Access, Arrival, Refusal } from '../access/access.js';
import type { BearerSettings } from '../access/access-options.js';
import type { Principal } from '../access/principal.js';
import { challengeOf, protectedResourceMetadata, WELL_KNOWN } from '../access/protected-resource.js';
import { ErrorCode, errorResponse } from '../mcp/protocol-error.js';

export interface AdmissionOptions {
  readonly access: Access;
  /** Absent where clients do not have to say who they are. */
  readonly bearer: BearerSettings | undefined;
  readonly publicUrl: () => URL;
  readonly serverName: string;
}

/** The door of the MCP endpoint, as HTTP sees it. */
export class AdmissionDoor {
  readonly #options: AdmissionOptions;
  readonly #path: string;

  /** @param path of the endpoint, below the public URL */
  constructor(options: AdmissionOptions, path: string) {
    this.#options = options;
    this.#path = path;
  }

  /**
   * Where clients look for what the door asks for: at the address that the challenge names, at the root, and, which
   * RFC 9728 does not ask of them, below the endpoint. Empty if the door asks for nothing.
   */
  get metadataPaths(): readonly string[] {
    return this.#options.bearer ? [this.#metadataPath, WELL_KNOWN, this.#path + WELL_KNOWN] : [];
  }

  /** What it asks for (RFC 9728). */
  metadata(): Record<string, unknown> {
    const { bearer, publicUrl, serverName } = this.#options;
    return bearer
      ? protectedResourceMetadata(new URL(`.${this.#path}`, publicUrl()), serverName, bearer)
      : {};
  }

  /** @returns who is calling, or the answer to somebody who is not let in */
  async enter(
    request: Request,
    from: Omit<Arrival, 'authorization'>,
  ): Promise<Response | { principal: Principal | undefined }> {
    const authorization = request.headers.get('authorization');
    const admission = await this.#options.access.admit({ ...from, authorization });
    return admission.isAdmitted ? { principal: admission.principal } : this.#turnAway(admission.refusal);
  }

  get #metadataPath(): string {
    return WELL_KNOWN + this.#path;
  }

  #turnAway(refusal: Refusal): Response {
    const { bearer, publicUrl } = this.#options;
    const { status, description, retryAfterSeconds } = refusal;
    const headers: Record<string, string> = {};
    if (bearer && !isPassing(status)) {
      // Below the public URL, for that is what routers and proxies send here.
      const metadata = new URL(`.${this.#metadataPath}`, publicUrl());
      headers['www-authenticate'] = challengeOf(refusal, metadata, bearer.requiredScopes);
    }
    if (retryAfterSeconds !== undefined) headers['retry-after'] = String(Math.ceil(retryAfterSeconds));
    const code = isPassing(status) ? ErrorCode.serverBusy : ErrorCode.invalidRequest;
    return errorResponse(status, code, description, { headers });
  }
}

/** Whether the same request may be let in later. */
function isPassing(status: Refusal['status']): boolean {
  return status === 429 || status === 503;
}

/** The same request without the credentials it came with: what serves it has no business with them. */
export function withoutCredentials(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.delete('authorization');
  return new Request(request.url, { method: request.method, headers, signal: request.signal });
}
