import type { BodyRoom } from './body-room.js';
import { MAX_BODY_BYTES, MAX_JSON_DEPTH, MAX_JSON_ELEMENTS } from './http-limits.js';
import type { BodyRefusal } from './incoming-body.js';
import { elementsOutsideArguments, type JsonShape, shapeOfText, shapeOfValue } from './json-shape.js';
import { type BodySource, mediaTypeOf, readBody } from './request-body.js';

/** A request's body, or why it is none. */
export type JsonBody =
  | {
      readonly kind: 'json';
      readonly value: unknown;
      /** What it takes up in memory, rather too much: two bytes for each character, 48 for each element. */
      readonly bytes: number;
    }
  | {
      readonly kind:
        | 'wrong-type'
        | 'malformed'
        | 'too-deep'
        | 'too-many-elements'
        | Exclude<BodyRefusal, 'unreadable'>;
    };

export interface JsonBodyLimits {
  readonly room: BodyRoom;
  /** The maximum number of array elements and object keys in the arguments of a tool call. */
  readonly argumentElements: number;
}

/** What a body is that was not received. */
export function kindOf(refusal: BodyRefusal): Exclude<JsonBody['kind'], 'json'> {
  return refusal === 'unreadable' ? 'malformed' : refusal;
}

/** Reads the body of a POST. @throws SessionError as {@link readBody} */
export async function readJsonBody(source: BodySource, limits: JsonBodyLimits): Promise<JsonBody> {
  if (mediaTypeOf(source.request.headers) !== 'application/json') return { kind: 'wrong-type' };
  const body = await readBody(source, limits.room, MAX_BODY_BYTES);
  const most = { depth: MAX_JSON_DEPTH, elements: MAX_JSON_ELEMENTS + limits.argumentElements };
  switch (body.kind) {
    case 'parsed':
      return admit(body.value, shapeOfValue(body.value, most), {
        most,
        characters: announced(source.request),
      });
    case 'text':
      return parse(body.text, most);
    default:
      return { kind: kindOf(body.kind) };
  }
}

function parse(text: string, most: JsonShape): JsonBody {
  const shape = shapeOfText(text, most);
  const refusal = refusalOf(shape, most);
  if (refusal) return refusal;
  try {
    return admit(JSON.parse(text), shape, { most, characters: text.length });
  } catch {
    return { kind: 'malformed' };
  }
}

function announced({ headers }: Request): number {
  return Number(headers.get('content-length')) || 0;
}

function admit(
  value: unknown,
  shape: JsonShape,
  { most, characters }: { readonly most: JsonShape; readonly characters: number },
): JsonBody {
  const refusal = refusalOf(shape, most);
  if (refusal) return refusal;
  return elementsOutsideArguments(value, shape) > MAX_JSON_ELEMENTS
    ? { kind: 'too-many-elements' }
    : { kind: 'json', value, bytes: 2 * characters + 48 * shape.elements };
}

function refusalOf(shape: JsonShape, most: JsonShape): JsonBody | undefined {
  if (shape.depth > most.depth) return { kind: 'too-deep' };
  return shape.elements > most.elements ? { kind: 'too-many-elements' } : undefined;
}
