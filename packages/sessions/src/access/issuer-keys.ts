import { createRemoteJWKSet, customFetch } from 'jose';

/** A place in the interface of jose; the address is that of `request`. */
const ADDRESS = new URL('https://issuer.invalid/');

/**
 * The keys of an issuer, which jose keeps for ten minutes. It requests them again for an unknown key id, at most every
 * 30 seconds; tokens that wait for them share a request.
 * @param request requests the keys (RFC 7517 section 5). Its errors are those of the verification
 */
export function issuerKeys(request: () => Promise<object>): ReturnType<typeof createRemoteJWKSet> {
  return createRemoteJWKSet(ADDRESS, { [customFetch]: async () => Response.json(await request()) });
}
