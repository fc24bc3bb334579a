import type { AuthInfo, ServerContext } from '@modelcontextprotocol/server';
import type { Principal } from '../../access/access.js';

type Requests = ServerContext['mcpReq'];

/** The SDK's context of a call, with other properties of its request. */
export function withRequestProperties(context: ServerContext, replaced: Partial<Requests>): ServerContext {
  return withProperties(context, { mcpReq: withProperties(context.mcpReq, replaced) });
}

/** The SDK's context of a call with another `requestState`, or none. */
export function withRequestState(context: ServerContext, state: unknown): ServerContext {
  // The SDK lets the reader choose the type.
  const requestState = (() => state) as Requests['requestState'];
  return withRequestProperties(context, { requestState });
}

/** A copy with some properties replaced. Other properties stay as they are, including getters. */
function withProperties<T extends object>(original: T, replaced: Partial<T>): T {
  const properties = { ...Object.getOwnPropertyDescriptors(original) };
  const added = Object.fromEntries(
    Object.entries(replaced).map(([name, value]) => [name, { value, enumerable: true }]),
  );
  // Of the same prototype and with the same properties, it is of the same type.
  return Object.create(Object.getPrototypeOf(original), { ...properties, ...added }) as T;
}

/**
 * The authenticated caller, in the form in which the SDK passes it to tools (`ctx.http.authInfo`). The token is left
 * out, because it is for this server only (MCP "Token Passthrough").
 */
export function authInfoOf({ issuer, subject, clientId, scopes }: Principal): AuthInfo {
  return { token: '', clientId, scopes: [...scopes], extra: { issuer, subject } };
}
