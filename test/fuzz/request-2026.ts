import { type Blueprint, placeholder } from './blueprint.js';
import type { Call } from './json-rpc-messages.js';

const REVISION = '2026-07-28';
const SESSION_META = 'dev.mcp-sessions/session';

/** The capabilities of a client that opens links itself. */
export const URL_ELICITATION = { elicitation: { url: {} } };

/** The fields that name the session of a request. */
export type Naming = 'argument' | '_meta' | 'both';

/** The call with the handle of a session. */
export function named({ method, params }: Call, handle: unknown, how: Naming): Call {
  const isTool = method === 'tools/call';
  // Other methods have no arguments.
  const inArguments = isTool && how !== '_meta';
  const inMeta = how !== 'argument' || !isTool;
  return {
    method,
    params: {
      ...params,
      ...(inArguments && { arguments: { ...(params.arguments as object), session: handle } }),
      ...(inMeta && { _meta: { [SESSION_META]: handle } }),
    },
  };
}

/** The next request of a call, with the requested input. */
export function anotherRound({ method, params }: Call, requestState: unknown, inputResponses: object): Call {
  return { method, params: { ...params, requestState, inputResponses } };
}

/** A request of the 2026 revision, with the required headers. */
export function request(
  kind: string,
  { method, params }: Call,
  id: unknown,
  { capabilities = {}, client = 'fuzz' }: { readonly capabilities?: object; readonly client?: string } = {},
): Blueprint {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientInfo': { name: client, version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    ...(params._meta as object),
  };
  const name = params.name ?? params.uri;
  return {
    kind,
    method: 'POST',
    path: '/mcp',
    headers: [
      ['host', placeholder('host')],
      ['content-type', 'application/json'],
      ['accept', 'application/json, text/event-stream'],
      ['mcp-protocol-version', REVISION],
      ['mcp-method', headerText(method)],
      ...(typeof name === 'string' ? [['mcp-name', headerText(name)] as const] : []),
    ],
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta } }),
  };
}

/** The characters of a text that a header can contain. */
function headerText(text: string): string {
  return text.replaceAll(/[^\x20-\xff]/g, '').trim();
}
