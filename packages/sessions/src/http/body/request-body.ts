import type { IncomingMessage } from 'node:http';
import { SessionError } from '../../errors.js';
import type { ClientKey } from '../../limits/client-key.js';
import { secretBytes } from '../../vault/memory.js';
import { type BodyLimits, IncomingBody, type ReceivedBody } from './incoming-body.js';

/** A request that may have a body. */
export interface BodySource {
  readonly request: Request;
  readonly incoming: IncomingMessage | undefined;
  /** Whether `request` is made of `incoming`, and of nothing that somebody has put in between. */
  readonly isPlain: boolean;
  /** The address that it counts for. */
  readonly clientKey: ClientKey | undefined;
  /** Its body, where that is being received already. */
  readonly early?: IncomingBody | undefined;
}

/** The limits for reading a body. */
export type ReadLimits = Omit<BodyLimits, 'clientKey'>;

/** A request's body, or why there is none. */
export type RequestBody = ReceivedBody | { readonly kind: 'parsed'; readonly value: unknown };

/** Where body parsers leave what they have read: Express and most others in `body`. */
type ParsedMessage = IncomingMessage & { readonly body?: unknown; readonly rawBody?: unknown };

/**
 * Reads a body, unless a body parser in front of this library has: then what that left counts. Its size is
 * known by what it was announced to be; besides, the parser has limits of its own.
 * @throws SessionError `configuration` when the body was read and nothing is left of it
 */
export async function readBody(source: BodySource, limits: ReadLimits): Promise<RequestBody> {
  const { request, incoming, clientKey, early } = source;
  if (early) return early.received();
  const wasRead = request.bodyUsed || (incoming?.readableDidRead ?? false);
  const left = wasRead ? leftIn(incoming) : undefined;
  if (isTooLarge(request, limits.maxBytes) && (left || !wasRead)) return { kind: 'too-large' };
  if (left) return scanned(left, limits);
  const body = new IncomingBody({ ...limits, clientKey });
  const direct = directOf(source);
  if (direct) body.receiveFrom(direct);
  else body.receive(request);
  const outcome = await body.received();
  const isLost = outcome.kind === 'unreadable' || (outcome.kind === 'text' && outcome.text === '');
  if (!wasRead || !isLost) return outcome;
  throw new SessionError(
    'configuration',
    'The body of this request was read before it came here. Mount mcp-sessions before the body parser.',
  );
}

/**
 * Begins to receive a body while it is still found out whether its sender is let in, whatever comes of that. Until
 * somebody reads it, Node keeps each piece that came as an object of its own: hundreds of bytes for one.
 */
export function receivedEarly(source: BodySource, limits: ReadLimits): BodySource {
  const direct = directOf(source);
  if (!direct || isTooLarge(source.request, limits.maxBytes)) return source;
  const early = new IncomingBody({ ...limits, clientKey: source.clientKey });
  early.receiveFrom(direct);
  return { ...source, early };
}

/** Scans the body that a body parser has left. */
function scanned(left: RequestBody, { scan }: ReadLimits): RequestBody {
  if (!scan || left.kind !== 'text') return left;
  const refusal = scan.add(secretBytes(left.text)) ?? scan.end();
  return refusal ? { kind: refusal } : left;
}

/** Whether a body was announced to be too large. */
function isTooLarge({ headers }: Request, maxBytes: number): boolean {
  return Number(headers.get('content-length')) > maxBytes;
}

/** Node's side, where it may be read itself. Of a connection that is closed already the adapter knows what came. */
function directOf({ incoming, isPlain }: BodySource): IncomingMessage | undefined {
  return isPlain && incoming && !incoming.readableDidRead && !incoming.destroyed ? incoming : undefined;
}

/** The type of a body, without parameters. */
export function mediaTypeOf(headers: Headers): string | undefined {
  return headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
}

function leftIn(incoming: ParsedMessage | undefined): RequestBody | undefined {
  // The adapter for Node serves a raw body as if nobody had read it.
  if (incoming?.body === undefined || incoming.rawBody instanceof Buffer) return undefined;
  const { body } = incoming;
  if (typeof body === 'string') return { kind: 'text', text: body };
  if (body instanceof Uint8Array) return { kind: 'text', text: new TextDecoder().decode(body) };
  return { kind: 'parsed', value: body };
}
