import type { IncomingMessage } from 'node:http';
import { SessionError } from '../../errors.js';
import type { ClientKey } from '../../limits/client-key.js';
import type { RequestHeaders } from '../request-headers.js';
import type { BodyRefusal } from './body-buffer.js';

/** The parts of a web-standard request that a body is read from. */
export interface SentRequest extends Pick<Request, 'body' | 'bodyUsed'> {
  readonly headers: RequestHeaders;
}

/** A request that may have a body. */
export interface BodySource {
  readonly request: SentRequest;
  readonly incoming: IncomingMessage | undefined;
  /** Whether `request` has the body of `incoming`. */
  readonly isUnmodified: boolean;
  readonly clientKey: ClientKey | undefined;
}

/** What a body parser in front of this server has stored: the text of a body, or a value. */
export type ParsedBody =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'parsed'; readonly value: unknown };

/** A body, or why it is refused. */
export type RequestBody = ParsedBody | { readonly kind: BodyRefusal };

/** A request that a body parser has read. Express and most other frameworks store the result in `body`. */
type ParsedMessage = IncomingMessage & { readonly body?: unknown; readonly rawBody?: unknown };

/** The media type of a body, without parameters. */
export function mediaTypeOf(headers: RequestHeaders): string | undefined {
  return headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
}

/** Whether the request announces a larger body (`Content-Length`). */
export function isAnnouncedLarger({ request }: BodySource, maxBytes: number): boolean {
  return Number(request.headers.get('content-length')) > maxBytes;
}

/** Whether another reader has read the body. */
export function isRead({ request, incoming }: BodySource): boolean {
  return request.bodyUsed || (incoming?.readableDidRead ?? false);
}

/** Node's request, if the body can be read from it. After the connection has closed, only the adapter has the body. */
export function directSourceOf({ incoming, isUnmodified }: BodySource): IncomingMessage | undefined {
  return isUnmodified && incoming && !incoming.readableDidRead && !incoming.destroyed ? incoming : undefined;
}

/** The stored body of a request. `undefined` if there is none. */
export function parsedBodyOf(incoming: ParsedMessage | undefined): ParsedBody | undefined {
  // The Node adapter serves a raw body as the body of the web-standard request.
  if (incoming?.body === undefined || incoming.rawBody instanceof Buffer) return undefined;
  const { body } = incoming;
  if (typeof body === 'string') return { kind: 'text', text: body };
  if (body instanceof Uint8Array) return { kind: 'text', text: new TextDecoder().decode(body) };
  return { kind: 'parsed', value: body };
}

/** The error if another reader has read a body and not stored it. */
export function bodyLost(): SessionError {
  return new SessionError(
    'configuration',
    'The body of this request was read before it reached mcp-sessions. Mount mcp-sessions before the body parser.',
  );
}
