import type { IncomingMessage } from 'node:http';

/** A request that a body parser has read. Express and most other frameworks store the result in `body`. */
type ParsedMessage = IncomingMessage & { readonly body?: unknown; readonly rawBody?: unknown };

/** What a body parser in front of this server has stored: the text of a body, or a value. */
export type ParsedBody =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'parsed'; readonly value: unknown };

/** The stored body of a request. `undefined` if there is none. */
export function parsedBodyOf(incoming: ParsedMessage | undefined): ParsedBody | undefined {
  // The Node adapter serves a raw body as the body of the web-standard request.
  if (incoming?.body === undefined || incoming.rawBody instanceof Buffer) return undefined;
  const { body } = incoming;
  if (typeof body === 'string') return { kind: 'text', text: body };
  if (body instanceof Uint8Array) return { kind: 'text', text: new TextDecoder().decode(body) };
  return { kind: 'parsed', value: body };
}
