import type { createRemoteJWKSet } from 'jose';
import { sharedLoad } from '../time/promises.js';

type Jose = typeof import('jose');

/** Loads jose, which only servers that verify access tokens need. */
export const loadJose = (): Promise<Jose> => import('jose');

/** jose, and the keys of an issuer. */
interface IssuerKeys {
  readonly jose: Jose;
  readonly keys: ReturnType<typeof createRemoteJWKSet>;
}

/** A place in the interface of jose; the address is that of `request`. */
const ADDRESS = new URL('https://issuer.invalid/');

/**
 * The keys of an issuer, which jose keeps for ten minutes. It requests them again for an unknown key id, at most every
 * 30 seconds; tokens that wait for them share a request. The first call loads jose, because most servers verify no
 * token.
 * @param request requests the keys (RFC 7517 section 5). Its errors are those of the verification
 */
export function issuerKeys(request: () => Promise<object>): () => Promise<IssuerKeys> {
  return sharedLoad(async () => {
    const jose = await loadJose();
    const keys = jose.createRemoteJWKSet(ADDRESS, {
      [jose.customFetch]: async () => Response.json(await request()),
    });
    return { jose, keys };
  });
}
