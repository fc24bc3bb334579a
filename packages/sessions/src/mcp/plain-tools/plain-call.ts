import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  classifyInboundRequest,
  PROTOCOL_VERSION_META_KEY,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/server';
import type { PlainRequest } from '../request/mcp-request.js';
import { SESSION_META_KEY } from '../request/session-argument.js';

const REVISION = '2026-07-28';
/** The revisions with protocol sessions. */
const REVISIONS_2025: ReadonlySet<string | null> = new Set(SUPPORTED_PROTOCOL_VERSIONS);
/** The first revision whose calls have streams that can be resumed, and so closed by their tools. */
export const FIRST_RESUMABLE_REVISION = '2025-11-25';
const MESSAGE_KEYS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params']);
const PARAMS_KEYS_2025: ReadonlySet<string> = new Set(['name', 'arguments']);
const PARAMS_KEYS: ReadonlySet<string> = new Set(['name', 'arguments', '_meta']);
const ENVELOPE_KEYS = [PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY];
const META_KEYS: ReadonlySet<string> = new Set([...ENVELOPE_KEYS, SESSION_META_KEY]);

/** The maximum number of remembered envelopes. Each client program has one, and each of its versions. */
export const MAX_KNOWN_ENVELOPES = 256;
/** The maximum length of a remembered envelope. */
export const MAX_KNOWN_ENVELOPE_CHARACTERS = 1024;

/** A `tools/call` that is written as every client writes it. */
export interface PlainCall {
  readonly id: string | number;
  readonly name: string;
  readonly params: Record<string, unknown>;
  /** As the client sent them. */
  readonly args: unknown;
  /** `_meta` without the envelope; `undefined` if nothing is left. */
  readonly meta: Record<string, unknown> | undefined;
  /** Absent in the 2025 revisions. */
  readonly envelope?: Record<string, unknown>;
  /** The connection that the call came on. Absent in 2026-07-28. */
  readonly connection?: {
    readonly id: string;
    /** Whether the tool may close streams, which the client resumes. */
    readonly isResumable: boolean;
  };
}

/**
 * Recognizes plain calls. It takes only what the SDK surely accepts: everything in a plain call is compared, except for
 * the client information and the capabilities, which the SDK has accepted in an earlier request.
 */
export class PlainCalls {
  /** Envelopes that the SDK accepts, as JSON. */
  readonly #known = new Set<string>();

  /** The number of remembered envelopes. */
  get size(): number {
    return this.#known.size;
  }

  /** The plain call in a request of 2026-07-28; `undefined` if the SDK has to look at it. */
  read({ body, headers }: Pick<PlainRequest, 'body' | 'headers'>): PlainCall | undefined {
    const message = messageOf(body, PARAMS_KEYS);
    if (!message) return undefined;
    const { params, name } = message;
    const { _meta: meta } = params;
    if (!hasOnly(meta, META_KEYS) || meta[PROTOCOL_VERSION_META_KEY] !== REVISION) return undefined;
    const isAsInBody =
      headers.get('mcp-protocol-version') === REVISION &&
      headers.get('mcp-method') === 'tools/call' &&
      headers.get('mcp-name') === name &&
      // An encoded name (SEP-2243).
      !name.startsWith('=?');
    if (!isAsInBody || !this.#isKnown(body, meta)) return undefined;
    const { [SESSION_META_KEY]: session } = meta;
    const envelope: Record<string, unknown> = {};
    for (const key of ENVELOPE_KEYS) if (key in meta) envelope[key] = meta[key];
    return {
      ...message,
      meta: session === undefined ? undefined : { [SESSION_META_KEY]: session },
      envelope,
    };
  }

  #isKnown(body: unknown, meta: Record<string, unknown>): boolean {
    const key = JSON.stringify({
      info: meta[CLIENT_INFO_META_KEY],
      capabilities: meta[CLIENT_CAPABILITIES_META_KEY],
    });
    if (this.#known.has(key)) return true;
    if (key.length > MAX_KNOWN_ENVELOPE_CHARACTERS) return false;
    const { kind } = classifyInboundRequest({ httpMethod: 'POST', protocolVersionHeader: REVISION, body });
    if (kind !== 'modern') return false;
    if (this.#known.size >= MAX_KNOWN_ENVELOPES) this.#known.clear();
    this.#known.add(key);
    return true;
  }
}

/** The plain call in a request of a 2025 connection; `undefined` if the SDK has to look at it. */
export function plainCallOf2025({
  body,
  headers,
}: Pick<PlainRequest, 'body' | 'headers'>): PlainCall | undefined {
  const revision = headers.get('mcp-protocol-version');
  const id = headers.get('mcp-session-id');
  if (id === null || (revision !== null && !REVISIONS_2025.has(revision))) return undefined;
  const message = messageOf(body, PARAMS_KEYS_2025);
  const isResumable = revision !== null && revision >= FIRST_RESUMABLE_REVISION;
  return message && { ...message, meta: undefined, connection: { id, isResumable } };
}

/** A call with these parameters and no others. */
function messageOf(
  body: unknown,
  paramsKeys: ReadonlySet<string>,
): Pick<PlainCall, 'id' | 'name' | 'params' | 'args'> | undefined {
  if (!hasOnly(body, MESSAGE_KEYS)) return undefined;
  const { jsonrpc, id, method, params } = body;
  if (jsonrpc !== '2.0' || method !== 'tools/call' || !isRequestId(id)) return undefined;
  if (!hasOnly(params, paramsKeys)) return undefined;
  const { name, arguments: args } = params;
  if (typeof name !== 'string' || (args !== undefined && !isObject(args))) return undefined;
  return { id, name, params, args };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasOnly(value: unknown, keys: ReadonlySet<string>): value is Record<string, unknown> {
  if (!isObject(value)) return false;
  for (const key of Object.keys(value)) if (!keys.has(key)) return false;
  return true;
}

function isRequestId(id: unknown): id is string | number {
  return typeof id === 'string' || Number.isSafeInteger(id);
}
