import { elementsOutsideArguments, type JsonShape, shapeOfValue } from '../../mcp/wire/json-shape.js';
import { MAX_BODY_BYTES, MAX_JSON_DEPTH, MAX_JSON_ELEMENTS } from '../http-limits.js';
import type { BodyMemoryLimit } from './body-memory-limit.js';
import type { BodyRefusal } from './incoming-body.js';
import { JsonScan } from './json-scan.js';
import { type BodySource, mediaTypeOf, type ReadLimits, readBody, receivedEarly } from './request-body.js';
import type { RequestScheduler } from './request-scheduler.js';

/** A request's body, or why it is none. */
export type JsonBody =
  | {
      readonly kind: 'json';
      readonly value: unknown;
      /** An estimate of its size in memory, rather too large: two bytes for each character and 48 for each element. */
      readonly bytes: number;
    }
  | {
      readonly kind: 'wrong-type' | Exclude<BodyRefusal, 'unreadable'>;
    };

export interface JsonBodyLimits {
  readonly room: BodyMemoryLimit;
  /** Decides which request begins next. */
  readonly turns: RequestScheduler;
  /** The maximum number of array elements and object keys in the arguments of a tool call. */
  readonly argumentElements: number;
}

/** A request that should have a JSON body. */
export interface JsonBodySource extends BodySource {
  /** Scans the body while it arrives; `undefined` if the content type is not JSON. */
  readonly scan: JsonScan | undefined;
}

/** What a body is that was not received. */
export function kindOf(refusal: BodyRefusal): Exclude<JsonBody['kind'], 'json'> {
  return refusal === 'unreadable' ? 'malformed' : refusal;
}

/** Begins to receive the body of a POST, as {@link receivedEarly} does. */
export function receivedJsonEarly(source: BodySource, limits: JsonBodyLimits): JsonBodySource {
  const isJson = mediaTypeOf(source.request.headers) === 'application/json';
  const scan = isJson ? new JsonScan(mostOf(limits)) : undefined;
  return { ...receivedEarly(source, readLimitsOf(limits, scan)), scan };
}

/** Reads the body of a POST. @throws SessionError as {@link readBody} */
export async function readJsonBody(source: JsonBodySource, limits: JsonBodyLimits): Promise<JsonBody> {
  const { scan } = source;
  if (!scan) return { kind: 'wrong-type' };
  const body = await readBody(source, readLimitsOf(limits, scan));
  const most = mostOf(limits);
  switch (body.kind) {
    case 'parsed':
      return admit(body.value, shapeOfValue(body.value, most), {
        most,
        characters: announced(source.request),
      });
    case 'text':
      return parse(body.text, scan.shape, most);
    default:
      return { kind: kindOf(body.kind) };
  }
}

function readLimitsOf({ room, turns }: JsonBodyLimits, scan: JsonScan | undefined): ReadLimits {
  return { room, turns, scan, maxBytes: MAX_BODY_BYTES };
}

function mostOf({ argumentElements }: JsonBodyLimits): JsonShape {
  return { depth: MAX_JSON_DEPTH, elements: MAX_JSON_ELEMENTS + argumentElements };
}

function parse(text: string, shape: JsonShape, most: JsonShape): JsonBody {
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
  if (shape.depth > most.depth) return { kind: 'too-deep' };
  if (shape.elements > most.elements) return { kind: 'too-many-elements' };
  return elementsOutsideArguments(value, shape) > MAX_JSON_ELEMENTS
    ? { kind: 'too-many-elements' }
    : { kind: 'json', value, bytes: 2 * characters + 48 * shape.elements };
}
