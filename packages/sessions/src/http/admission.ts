import type { Access, AccessRequest, Admission, Principal, Refusal } from '../access/access.js';
import type { BearerSettings } from '../access/access-options.js';
import {
  bearerChallenge,
  protectedResourceMetadata,
  WELL_KNOWN,
  wellKnownPaths,
} from '../access/protected-resource.js';
import { SessionError } from '../errors.js';
import { ErrorCode, errorResponse } from '../mcp/wire/error-response.js';
import type { MaybePromise } from '../time/promises.js';

export interface AdmissionOptions {
  readonly access: Access;
  /** Absent in open access. */
  readonly bearer: BearerSettings | undefined;
  readonly publicUrl: () => URL;
  readonly serverName: string;
  /** Whether the issuer has the origin of the public URL, and so serves its metadata there itself. */
  readonly sharesIssuerOrigin: boolean;
}

/** Applies access control to the MCP endpoint: HTTP status codes, challenges (RFC 6750) and metadata. */
export class EndpointAdmission {
  readonly #options: AdmissionOptions;
  readonly #path: string;

  /** @param path path of the endpoint, below the public URL */
  constructor(options: AdmissionOptions, path: string) {
    this.#options = options;
    this.#path = path;
  }

  /** The paths of the protected-resource metadata (RFC 9728). Empty without bearer access. */
  get metadataPaths(): readonly string[] {
    return this.#options.bearer ? wellKnownPaths(WELL_KNOWN.protectedResource, this.#path) : [];
  }

  /**
   * The paths where clients of revision 2025-03-26, which has no RFC 9728, look for the authorization server's
   * metadata.
   */
  get issuerMetadataPaths(): readonly string[] {
    const { bearer, sharesIssuerOrigin } = this.#options;
    return bearer && !sharesIssuerOrigin ? wellKnownPaths(WELL_KNOWN.authorizationServer, this.#path) : [];
  }

  /**
   * The unchanged metadata of the authorization server. Its `issuer` is not this server: a client that compares it with
   * the URL (RFC 8414 section 3.3) refuses the document.
   */
  async issuerMetadata(): Promise<Response> {
    try {
      return Response.json((await this.#options.access.issuerMetadata?.()) ?? {});
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      const headers = { 'retry-after': String(Math.ceil(error.retryAfterSeconds ?? 60)) };
      return errorResponse(503, ErrorCode.serverBusy, error.message, { headers });
    }
  }

  /** The protected-resource metadata (RFC 9728). */
  metadata(): Record<string, unknown> {
    const { bearer, publicUrl, serverName } = this.#options;
    return bearer
      ? protectedResourceMetadata(new URL(`.${this.#path}`, publicUrl()), serverName, bearer)
      : {};
  }

  /**
   * @param known the decision, if it was asked for before: a refused token counts once
   * @returns the authenticated caller, or the response that refuses the request
   */
  async admit(
    request: Request,
    from: Omit<AccessRequest, 'authorization'>,
    known?: MaybePromise<Admission>,
  ): Promise<Response | { principal: Principal | undefined }> {
    const authorization = request.headers.get('authorization');
    const admission = await (known ?? this.#options.access.admit({ ...from, authorization }));
    return admission.isAdmitted ? { principal: admission.principal } : this.#refuse(admission.refusal);
  }

  get #metadataPath(): string {
    return wellKnownPaths(WELL_KNOWN.protectedResource, this.#path)[0];
  }

  #refuse(refusal: Refusal): Response {
    const { bearer, publicUrl } = this.#options;
    const { status, description, retryAfterSeconds } = refusal;
    const headers: Record<string, string> = {};
    if (bearer && !isTemporary(status)) {
      // Below the public URL, because routers and proxies send such URLs to this server.
      const metadata = new URL(`.${this.#metadataPath}`, publicUrl());
      headers['www-authenticate'] = bearerChallenge(refusal, metadata, bearer.requiredScopes);
    }
    if (retryAfterSeconds !== undefined) headers['retry-after'] = String(Math.ceil(retryAfterSeconds));
    const code = isTemporary(status) ? ErrorCode.serverBusy : ErrorCode.invalidRequest;
    return errorResponse(status, code, description, { headers });
  }
}

/** Whether the same request may be admitted later. */
function isTemporary(status: Refusal['status']): boolean {
  return status === 429 || status === 503;
}

/** The same request without its `Authorization` header, which only access control needs. */
export function withoutCredentials(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.delete('authorization');
  return new Request(request.url, { method: request.method, headers, signal: request.signal });
}
