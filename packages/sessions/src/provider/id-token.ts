import { z } from 'zod';
import type { ProviderFailureReason } from '../session/provider-failure-texts.js';
import { secretBytes } from '../vault/memory.js';

/** What an ID token has to be. */
export interface IdTokenExpectations {
  readonly clientId: string;
  /** The issuer of the metadata. `{tenantid}` in it stands for the `tid` of the token (Entra ID). */
  readonly issuer: string;
  /** The `alg` values that are accepted. `undefined`: every one but `none`, which is never accepted. */
  readonly algorithms?: readonly string[] | undefined;
  /** Audiences that the token may name beside the client without `azp`. */
  readonly audiences: readonly string[];
  /** The nonce of the request. `undefined`: not compared. */
  readonly nonce?: { readonly value: string; readonly isRequired: boolean } | undefined;
  readonly toleranceSeconds: number;
  /** Since the epoch. */
  readonly nowSeconds: number;
  /** Whether the token came with a refresh: only its issuer, audience and subject are checked then. */
  readonly isRefresh?: boolean;
}

/** The claims of an ID token. */
type IdTokenClaims = Readonly<Record<string, unknown>> & {
  readonly iss: string;
  readonly sub: string;
};

/** Why a login has no ID token that is accepted. It contains no value of a `nonce`. */
export interface IdTokenFault {
  readonly reason: Extract<ProviderFailureReason, `id_token_${string}`>;
  readonly claim?: string;
  readonly expected?: string;
  readonly received?: string;
}

export type IdTokenCheck = { readonly claims: IdTokenClaims } | { readonly fault: IdTokenFault };

/** Of an identifier or a name of a user. OpenID Connect Core section 2 allows 255 characters for the identifier. */
export const MAX_IDENTITY_LENGTH = 1024;

const headerSchema = z.looseObject({ alg: z.string(), crit: z.undefined().optional() });
const claimsSchema = z.looseObject({
  iss: z.string(),
  sub: z.string().min(1).max(MAX_IDENTITY_LENGTH),
  aud: z.union([z.string(), z.array(z.string())]),
  azp: z.string().optional(),
  exp: z.unknown().optional(),
  nbf: z.unknown().optional(),
  nonce: z.unknown().optional(),
  tid: z.unknown().optional(),
});

type Claims = z.infer<typeof claimsSchema>;
type ClaimCheck = (claims: Claims, expectations: IdTokenExpectations) => IdTokenFault | undefined;

/** OpenID Connect Core section 12.2. */
const REFRESH_CHECKS: readonly ClaimCheck[] = [audience, issuer];
/** OpenID Connect Core section 3.1.3.7. */
const LOGIN_CHECKS: readonly ClaimCheck[] = [...REFRESH_CHECKS, authorizedParty, expiry, notBefore, nonce];

/**
 * Checks an ID token of the token endpoint (OpenID Connect Core sections 3.1.3.7 and 12.2). The token comes directly
 * from that endpoint over TLS, so its signature is not verified (section 3.1.3.7, number 6).
 */
export function checkIdToken(idToken: unknown, expectations: IdTokenExpectations): IdTokenCheck {
  const parts = typeof idToken === 'string' ? idToken.split('.') : [];
  // A JWE (RFC 7516) has five parts.
  if (parts.length === 5) return { fault: { reason: 'id_token_encrypted' } };
  const header = headerSchema.safeParse(parse(parts[0])).data;
  const payload = parse(parts[1]);
  if (parts.length !== 3 || !header || !isObject(payload)) return { fault: { reason: 'id_token_malformed' } };
  const { isRefresh = false, algorithms } = expectations;
  if (!isRefresh && !isAccepted(header.alg, algorithms)) {
    const expected = algorithms?.filter(isSigning).join(' ') || 'any but none';
    return { fault: { reason: 'id_token_algorithm', expected, received: header.alg } };
  }
  const { data: claims, error } = claimsSchema.safeParse(payload);
  if (!claims) return { fault: wrong(String(error.issues[0]?.path[0])) };
  for (const check of isRefresh ? REFRESH_CHECKS : LOGIN_CHECKS) {
    const fault = check(claims, expectations);
    if (fault) return { fault };
  }
  return { claims };
}

/** @param algorithms those that are accepted; `undefined`: any */
export function isAccepted(alg: string, algorithms: readonly string[] | undefined): boolean {
  return isSigning(alg) && (algorithms?.includes(alg) ?? true);
}

function isSigning(alg: string): boolean {
  return alg.toLowerCase() !== 'none';
}

function audience({ aud }: Claims, { clientId }: IdTokenExpectations): IdTokenFault | undefined {
  const audiences = [aud].flat();
  return audiences.includes(clientId) ? undefined : wrong('aud', clientId, audiences.join(' '));
}

function issuer({ iss, tid }: Claims, { issuer }: IdTokenExpectations): IdTokenFault | undefined {
  const expected = typeof tid === 'string' ? issuer.replace('{tenantid}', () => tid) : issuer;
  return iss === expected ? undefined : wrong('iss', expected, iss);
}

function authorizedParty(
  { aud, azp }: Claims,
  { clientId, audiences }: IdTokenExpectations,
): IdTokenFault | undefined {
  if (azp === clientId) return undefined;
  if (azp !== undefined && !audiences.includes(azp)) return wrong('azp', clientId, azp);
  const accepted = [clientId, ...audiences];
  return [aud].flat().every((each) => accepted.includes(each))
    ? undefined
    : wrong('aud', accepted.join(' '), [aud].flat().join(' '));
}

function expiry(
  { exp }: Claims,
  { nowSeconds, toleranceSeconds }: IdTokenExpectations,
): IdTokenFault | undefined {
  if (typeof exp === 'number' && exp > nowSeconds - toleranceSeconds) return undefined;
  return wrong('exp', `after ${timeOf(nowSeconds - toleranceSeconds)}`, timeOf(exp));
}

function notBefore(
  { nbf }: Claims,
  { nowSeconds, toleranceSeconds }: IdTokenExpectations,
): IdTokenFault | undefined {
  if (nbf === undefined || (typeof nbf === 'number' && nbf <= nowSeconds + toleranceSeconds))
    return undefined;
  return wrong('nbf', `at most ${timeOf(nowSeconds + toleranceSeconds)}`, timeOf(nbf));
}

function nonce(claims: Claims, { nonce: expected }: IdTokenExpectations): IdTokenFault | undefined {
  const isMissing = claims.nonce === undefined && !expected?.isRequired;
  return !expected || isMissing || claims.nonce === expected.value ? undefined : wrong('nonce');
}

function wrong(claim: string, expected?: string, received?: string): IdTokenFault {
  return {
    reason: 'id_token_claim',
    claim,
    ...(expected !== undefined && { expected }),
    ...(received !== undefined && { received }),
  };
}

/** A NumericDate (RFC 7519 section 2) in words. */
function timeOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const date = new Date(Number(value) * 1000);
  return Number.isNaN(date.getTime()) ? 'no time' : date.toISOString();
}

function parse(part: string | undefined): unknown {
  try {
    return JSON.parse(secretBytes(part ?? '', 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
