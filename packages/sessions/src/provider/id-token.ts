import { z } from 'zod';
import type { Identity } from '../account/refresh/granted-tokens.js';
import { secretBytes } from '../vault/memory.js';

/** The issuer of an ID token, and the user whom it identifies. */
export interface IdTokenClaims {
  readonly issuer: string;
  /** The tenant at an issuer with several (Entra ID). */
  readonly tenant?: string | undefined;
  readonly identity: Identity;
}

const claimsSchema = z.looseObject({
  iss: z.string(),
  sub: z.string().min(1),
  tid: z.string().optional().catch(undefined),
  aud: z.union([z.string(), z.array(z.string())]),
});

/**
 * Reads the claims of an ID token in the response to a refresh. The token comes from the token endpoint over TLS, so its
 * signature is not verified (OpenID Connect Core sections 3.1.3.7 and 12.2).
 * @returns `undefined` if it is not an ID token, or not one for this client
 */
export function refreshedClaims(idToken: unknown, clientId: string): IdTokenClaims | undefined {
  const payload = typeof idToken === 'string' ? idToken.split('.')[1] : undefined;
  const { data } = claimsSchema.safeParse(payload === undefined ? undefined : parse(payload));
  const isOurs = data && [data.aud].flat().includes(clientId);
  return isOurs ? { issuer: data.iss, tenant: data.tid, identity: { subject: data.sub } } : undefined;
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(secretBytes(payload, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
