import { methodOf } from '../../mcp/wire/json-rpc.js';
import { elementsOutsideArguments, type JsonShape, shapeOfValue } from '../../mcp/wire/json-shape.js';
import { andThen, type MaybePromise } from '../../time/promises.js';
import { MAX_BODY_BYTES, MAX_JSON_DEPTH, MAX_JSON_ELEMENTS, MAX_MESSAGE_ELEMENTS } from '../http-limits.js';
import type { BodyRefusal } from './body-buffer.js';
import type { BodyMemoryLimit } from './body-memory-limit.js';
import { BodyReader } from './body-reader.js';
import { type BodySource, mediaTypeOf, type SentRequest } from './body-source.js';
import { JsonScan } from './json-scan.js';
import type { RequestScheduler } from './request-scheduler.js';

export interface JsonBodyLimits {
  readonly memory: BodyMemoryLimit;
  readonly scheduler: RequestScheduler;
  /** The maximum number of array elements and object keys in the arguments of a tool call. */
  readonly argumentElements: number;
}

/** Why a JSON body is refused. */
export type JsonRefusal = 'wrong-type' | Exclude<BodyRefusal, 'unreadable'>;

/** A JSON body, or why it is refused. */
export type JsonBody =
  | {
      readonly kind: 'json';
      readonly value: unknown;
      /** An estimate of its size in memory, and never too low: two bytes for each character, 48 for each element. */
      readonly bytes: number;
    }
  | { readonly kind: JsonRefusal };

/** Reads the JSON body of one request to the MCP endpoint. */
export class JsonBodyReader {
  readonly #request: SentRequest;
  readonly #maxShape: JsonShape;
  /** Absent if the content type is not JSON. */
  readonly #scan: JsonScan | undefined;
  readonly #reader: BodyReader;
  #read: MaybePromise<JsonBody> | undefined;

  /** Starts to receive the body. */
  constructor(source: BodySource, { memory, scheduler, argumentElements }: JsonBodyLimits) {
    this.#request = source.request;
    this.#maxShape = { depth: MAX_JSON_DEPTH, elements: MAX_JSON_ELEMENTS + argumentElements };
    const isJson = mediaTypeOf(source.request.headers) === 'application/json';
    this.#scan = isJson ? new JsonScan(this.#maxShape) : undefined;
    this.#reader = new BodyReader(source, { maxBytes: MAX_BODY_BYTES, memory, scheduler, scan: this.#scan });
    this.#reader.start();
  }

  /** Resolves when the body is refused while it arrives, and never otherwise. */
  async refused(): Promise<JsonRefusal> {
    return jsonRefusalOf(await this.#reader.refused());
  }

  /** Stops receiving a body that is not needed. */
  cancel(): void {
    this.#reader.cancel();
  }

  /** As {@link BodyReader.received}. */
  get received(): Promise<void> | undefined {
    return this.#reader.received;
  }

  /**
   * Returns the body, in the same tick once it is received. May be called again.
   * @throws SessionError as {@link BodyReader.read}
   */
  read(): MaybePromise<JsonBody> {
    this.#read ??= this.#scan ? this.#readOnce(this.#scan) : { kind: 'wrong-type' };
    return this.#read;
  }

  #readOnce(scan: JsonScan): MaybePromise<JsonBody> {
    return andThen(this.#reader.read(), (body): JsonBody => {
      switch (body.kind) {
        case 'parsed': {
          const characters = Number(this.#request.headers.get('content-length')) || 0;
          return this.#checked(body.value, shapeOfValue(body.value, this.#maxShape), characters);
        }
        case 'text':
          return this.#parsed(body.text, scan.shape);
        default:
          return { kind: jsonRefusalOf(body.kind) };
      }
    });
  }

  #parsed(text: string, shape: JsonShape): JsonBody {
    try {
      return this.#checked(JSON.parse(text), shape, text.length);
    } catch {
      return { kind: 'malformed' };
    }
  }

  #checked(value: unknown, shape: JsonShape, characters: number): JsonBody {
    if (shape.depth > this.#maxShape.depth) return { kind: 'too-deep' };
    if (shape.elements > this.#maxShape.elements) return { kind: 'too-many-elements' };
    const max = methodOf(value) === undefined ? MAX_JSON_ELEMENTS : MAX_MESSAGE_ELEMENTS;
    return elementsOutsideArguments(value, shape) > max
      ? { kind: 'too-many-elements' }
      : { kind: 'json', value, bytes: 2 * characters + 48 * shape.elements };
  }
}

function jsonRefusalOf(refusal: BodyRefusal): JsonRefusal {
  return refusal === 'unreadable' ? 'malformed' : refusal;
}
