import type { IncomingMessage } from 'node:http';
import { readBoundedText, TooLargeError } from '../bounded-text.js';
import { SessionError } from '../errors.js';

/** A request's body, or why there is none. */
export type RequestBody =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'parsed'; readonly value: unknown }
  | { readonly kind: 'too-large' | 'unreadable' };

/** Where body parsers leave what they have read: Express and most others in `body`. */
type ParsedMessage = IncomingMessage & { readonly body?: unknown; readonly rawBody?: unknown };

/**
 * Reads a body, unless a body parser in front of this library has: then what that left counts. Its size is
 * known by what it was announced to be; besides, the parser has limits of its own.
 * @throws SessionError `configuration` when the body was read and nothing is left of it
 */
export async function readBody(
  request: Request,
  incoming: IncomingMessage | undefined,
  maxBytes: number,
): Promise<RequestBody> {
  const wasRead = request.bodyUsed || (incoming?.readableDidRead ?? false);
  const left = wasRead ? leftIn(incoming) : undefined;
  if (left) return Number(request.headers.get('content-length')) > maxBytes ? { kind: 'too-large' } : left;
  try {
    const text = await readBoundedText(request, maxBytes);
    if (text !== '' || !wasRead) return { kind: 'text', text };
  } catch (error) {
    if (error instanceof TooLargeError) return { kind: 'too-large' };
    if (!wasRead) return { kind: 'unreadable' };
  }
  throw new SessionError(
    'configuration',
    'The body of this request was read before it came here. Mount mcp-sessions before the body parser.',
  );
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
