import type { BodyRoom } from './body-room.js';
import { MAX_BODY_BYTES, MAX_JSON_DEPTH } from './http-limits.js';
import type { BodyRefusal } from './incoming-body.js';
import { type BodySource, mediaTypeOf, readBody } from './request-body.js';

/** A request's body, or why it is none. */
export type JsonBody =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'wrong-type' | 'malformed' | 'too-deep' | Exclude<BodyRefusal, 'unreadable'> };

/** What a body is that was not received. */
export function kindOf(refusal: BodyRefusal): Exclude<JsonBody['kind'], 'json'> {
  return refusal === 'unreadable' ? 'malformed' : refusal;
}

/** Reads the body of a POST. @throws SessionError as {@link readBody} */
export async function readJsonBody(source: BodySource, room: BodyRoom): Promise<JsonBody> {
  if (mediaTypeOf(source.request.headers) !== 'application/json') return { kind: 'wrong-type' };
  const body = await readBody(source, room, MAX_BODY_BYTES);
  switch (body.kind) {
    case 'parsed':
      return unlessTooDeep(body.value);
    case 'text':
      return parse(body.text);
    default:
      return { kind: kindOf(body.kind) };
  }
}

function parse(text: string): JsonBody {
  try {
    return unlessTooDeep(JSON.parse(text));
  } catch {
    return { kind: 'malformed' };
  }
}

function unlessTooDeep(value: unknown): JsonBody {
  return isDeeper(value, MAX_JSON_DEPTH) ? { kind: 'too-deep' } : { kind: 'json', value };
}

function isDeeper(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return limit === 0 || Object.values(value).some((inner) => isDeeper(inner, limit - 1));
}
