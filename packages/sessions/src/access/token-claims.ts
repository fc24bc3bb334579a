import { z } from 'zod';
import type { Principal } from './principal.js';

/** What a token has to say to be taken. */
export interface TokenExpectations {
  readonly issuer: string;
  readonly audience: string;
  readonly subjectClaim: string;
}

/** A principal, or what keeps the token from naming one. */
export type ReadClaims = { readonly principal: Principal } | { readonly fault: string };

/** A token that does not say how long it lives is asked about again after this. */
const DEFAULT_LIFETIME_SECONDS = 300;
/** By how much the issuer's clock may be ahead. */
export const CLOCK_TOLERANCE_SECONDS: number = 5;

/** In UTF-8, in which owners are told apart, all of these are the same. */
const UNPAIRED_SURROGATE = /\p{Surrogate}/u;

const text = z.string().min(1).optional().catch(undefined);
const scopes = z.union([z.string(), z.array(z.string())]);
const claimsSchema = z.looseObject({
  iss: text,
  aud: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .catch(undefined),
  exp: z.number().optional(),
  nbf: z.number().optional(),
  scope: scopes.optional(),
  scp: scopes.optional(),
  client_id: text,
  // What providers call it that are older than RFC 9068.
  azp: text,
  appid: text,
  cid: text,
});

/**
 * Reads the claims of a token whose authenticity is established (RFC 9068 section 2.2, RFC 7662 section 2.2).
 * @param now on the clock of this process, and in seconds since the epoch
 */
export function readClaims(
  claims: unknown,
  expected: TokenExpectations,
  now: { readonly ms: number; readonly epochSeconds: number },
): ReadClaims {
  const { data } = claimsSchema.safeParse(claims);
  if (!data) return { fault: 'Its claims cannot be read.' };
  if (data.iss !== undefined && data.iss !== expected.issuer) return { fault: 'It is of another issuer.' };
  if (![data.aud].flat().includes(expected.audience)) return { fault: 'It was issued for another resource.' };
  const { exp = now.epochSeconds + DEFAULT_LIFETIME_SECONDS, nbf = 0 } = data;
  if (exp <= now.epochSeconds) return { fault: 'It has expired.' };
  if (nbf > now.epochSeconds + CLOCK_TOLERANCE_SECONDS) return { fault: 'It is not valid yet.' };
  const subject = data[expected.subjectClaim];
  if (typeof subject !== 'string' || subject === '') return { fault: 'It does not say who is calling.' };
  const clientId = data.client_id ?? data.azp ?? data.appid ?? data.cid;
  if (clientId === undefined) return { fault: 'It does not say which client it was issued to.' };
  if ([subject, clientId].some((name) => UNPAIRED_SURROGATE.test(name))) {
    return { fault: 'It names somebody in characters that are none.' };
  }
  return {
    principal: {
      issuer: expected.issuer,
      subject,
      clientId,
      scopes: [data.scope ?? data.scp ?? []].flat().flatMap((scope) => scope.split(' ').filter(Boolean)),
      expiresAtMs: now.ms + (exp - now.epochSeconds) * 1000,
    },
  };
}
