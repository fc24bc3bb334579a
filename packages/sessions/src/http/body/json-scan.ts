import type { JsonShape } from '../../mcp/wire/json-shape.js';
import { MAX_OUTER_STRING_BYTES } from '../http-limits.js';

/** Why a JSON document is refused before it is complete. */
export type ScanRefusal = 'malformed' | 'too-deep' | 'too-many-elements' | 'too-long-string';

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** The kinds of bytes outside strings. */
const [SPACE, PLAIN] = [1, 2];
const KINDS: Uint8Array = tableOf([
  // White space, and the bytes of a byte order mark.
  [' \t\r\n\xef\xbb\xbf', SPACE],
  // Numbers, literals, and the colon after a key.
  ['0123456789+-.eEtrufalsn:', PLAIN],
]);
/** A loop finds the end of a string of up to this length faster than the native search. */
const SHORT_STRING_BYTES = 32;

/**
 * Measures the shape of a JSON document while its bytes arrive, without creating strings or objects. Refuses a document
 * as soon as it has too many elements or too long a string, is nested too deep, or cannot become valid JSON. A document
 * that passes may still be invalid: this is not a parser.
 */
export class JsonScan {
  readonly #maxShape: JsonShape;
  /** The closing brackets of the open arrays and objects. */
  readonly #open: number[] = [];
  #depth = 0;
  #elements = 0;
  #tokens = 0;
  /** Whether the innermost array or object is still empty. */
  #isEmpty = false;
  #isInString = false;
  #stringBytes = 0;
  #isEscaped = false;
  #isComplete = false;
  #refusal: ScanRefusal | undefined;

  /** @param maxShape the largest shape that is accepted */
  constructor(maxShape: JsonShape) {
    this.#maxShape = maxShape;
  }

  /** The shape of the bytes so far. */
  get shape(): JsonShape {
    return { depth: this.#depth, elements: this.#elements };
  }

  /** Scans the next bytes. @returns why the document is refused, if it is */
  add(chunk: Uint8Array): ScanRefusal | undefined {
    let at = 0;
    while (at < chunk.length && !this.#refusal) {
      const byte = chunk[at] ?? 0;
      if (this.#isInString) at = this.#endOfString(chunk, at);
      else if (KINDS[byte] === SPACE) at = endOfRun(chunk, at, SPACE);
      else if (KINDS[byte] === PLAIN) {
        // A number may continue in the next chunk.
        if (at > 0) this.#countToken();
        if (this.#isComplete) this.#refusal = 'malformed';
        this.#isEmpty = false;
        at = endOfRun(chunk, at, PLAIN);
      } else {
        this.#take(byte);
        at++;
      }
    }
    return this.#refusal;
  }

  /** Ends the document. @returns why it is refused, if it is */
  end(): ScanRefusal | undefined {
    if (this.#isInString || this.#open.length > 0) this.#refusal ??= 'malformed';
    return this.#refusal;
  }

  /** Whether a message or its `params` contain the current string directly: tool arguments are nested deeper. */
  get #isOuter(): boolean {
    const isBatch = this.#open[0] === CLOSE_ARRAY;
    return this.#open.length <= (isBatch ? 3 : 2);
  }

  #take(byte: number): void {
    if (this.#isComplete) this.#refusal = 'malformed';
    switch (byte) {
      case OPEN_ARRAY:
        this.#begin(CLOSE_ARRAY);
        return;
      case OPEN_OBJECT:
        this.#begin(CLOSE_OBJECT);
        return;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        if (this.#open.pop() !== byte) this.#refusal = 'malformed';
        if (this.#isEmpty) this.#elements--;
        this.#isComplete = this.#open.length === 0;
        break;
      case COMMA:
        this.#count();
        break;
      case QUOTE:
        this.#countToken();
        this.#isInString = true;
        this.#stringBytes = 0;
        break;
      default:
        this.#refusal = 'malformed';
    }
    this.#isEmpty = false;
  }

  #begin(closing: number): void {
    this.#open.push(closing);
    this.#isEmpty = true;
    this.#count();
    this.#depth = Math.max(this.#depth, this.#open.length);
    if (this.#depth > this.#maxShape.depth) this.#refusal = 'too-deep';
  }

  #count(): void {
    this.#elements++;
    if (this.#elements > this.#maxShape.elements) this.#refusal = 'too-many-elements';
  }

  /** An element has at most a key, a colon and a value. More tokens are not separated as in JSON. */
  #countToken(): void {
    this.#tokens++;
    if (this.#tokens > 4 * (this.#elements + 1)) this.#refusal = 'malformed';
  }

  /** @returns the index of the first byte after the string, or the end of the chunk */
  #endOfString(chunk: Uint8Array, from: number): number {
    const begins = this.#isEscaped ? from + 1 : from;
    let quote = quoteAfter(chunk, begins);
    while (quote !== -1 && isEscaped(chunk, begins, quote)) quote = quoteAfter(chunk, quote + 1);
    this.#stringBytes += (quote === -1 ? chunk.length : quote) - from;
    if (this.#stringBytes > MAX_OUTER_STRING_BYTES && this.#isOuter) this.#refusal = 'too-long-string';
    this.#isInString = quote === -1;
    this.#isEscaped = quote === -1 && isEscaped(chunk, begins, chunk.length);
    return quote === -1 ? chunk.length : quote + 1;
  }
}

/** The index of the next quotation mark, or -1. */
function quoteAfter(chunk: Uint8Array, from: number): number {
  const end = Math.min(from + SHORT_STRING_BYTES, chunk.length);
  for (let at = from; at < end; at++) if (chunk[at] === QUOTE) return at;
  return chunk.indexOf(QUOTE, end);
}

/** Whether an odd number of backslashes precedes a byte of a string that begins or continues at `from`. */
function isEscaped(chunk: Uint8Array, from: number, at: number): boolean {
  let before = at;
  while (before > from && chunk[before - 1] === BACKSLASH) before--;
  return (at - before) % 2 === 1;
}

/** The index of the first byte of another kind. */
function endOfRun(chunk: Uint8Array, from: number, kind: number): number {
  let at = from;
  while (at < chunk.length && KINDS[chunk[at] ?? 0] === kind) at++;
  return at;
}

function tableOf(kinds: readonly (readonly [characters: string, kind: number])[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const [characters, kind] of kinds) {
    for (const character of characters) table[character.charCodeAt(0)] = kind;
  }
  return table;
}
