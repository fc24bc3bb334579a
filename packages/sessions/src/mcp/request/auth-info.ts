import type { AuthInfo } from '@modelcontextprotocol/server';
import type { Principal } from '../../access/access.js';

/**
 * What tools may know of who is calling, where the SDK has it (`ctx.http.authInfo`). The token itself is not
 * among it: it lets its client in here, and is nobody else's to use.
 */
export function authInfoOf({ issuer, subject, clientId, scopes }: Principal): AuthInfo {
  return { token: '', clientId, scopes: [...scopes], extra: { issuer, subject } };
}
