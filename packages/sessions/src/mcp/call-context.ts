import type { ServerContext } from '@modelcontextprotocol/server';

/** The SDK's context of a call, with another signal. */
export function withSignal(context: ServerContext, signal: AbortSignal): ServerContext {
  return withRequestProperty(context, 'signal', signal);
}

/** The SDK's context of a call, as if the client had brought another `requestState`, or none. */
export function withRequestState(context: ServerContext, state: unknown): ServerContext {
  return withRequestProperty(context, 'requestState', () => state);
}

function withRequestProperty(
  context: ServerContext,
  name: keyof ServerContext['mcpReq'],
  value: unknown,
): ServerContext {
  return withProperty(context, 'mcpReq', withProperty(context.mcpReq, name, value));
}

/** A copy with one property replaced, and every other as it is, getters included. */
function withProperty<T extends object>(original: T, name: keyof T, value: unknown): T {
  const properties = Object.getOwnPropertyDescriptors(original);
  const replaced = { ...properties, [name]: { value, enumerable: true } };
  // Of the same prototype and with the same properties, it is of the same type.
  return Object.create(Object.getPrototypeOf(original), replaced) as T;
}
