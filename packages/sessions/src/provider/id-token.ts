import { z } from 'zod';
import type { Identity } from '../account/refresh/granted-tokens.js';
import { secretBytes } from '../vault/memory.js';

/** Who an ID token is about, and who says so. */
export interface IdTokenClaims {
  readonly issuer: string;
  /** The tenant of an issuer that has many (Entra ID). */
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
 * The claims of an ID token that came with a refresh, straight from the token endpoint over TLS, which
 * stands in for its signature (OpenID Connect Core sections 3.1.3.7 and 12.2).
 * @returns `undefined` when it is none, or meant for another client
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
