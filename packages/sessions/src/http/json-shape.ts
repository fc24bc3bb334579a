import { messagesOf, methodOf, propertyOf } from '../mcp/json-rpc.js';

/** The nesting depth of a JSON value, and the total number of its array elements and object keys. */
export interface JsonShape {
  readonly depth: number;
  readonly elements: number;
}

/**
 * The shape of a JSON text, measured without parsing it: parsing builds an object for each element and takes 30 times
 * as long. Stops when the shape exceeds `most`. Does not detect invalid JSON.
 */
export function shapeOfText(text: string, most: JsonShape): JsonShape {
  let depth = 0;
  let deepest = 0;
  let elements = 0;
  let isEmpty = false;
  for (let at = 0; at < text.length && deepest <= most.depth && elements <= most.elements; at++) {
    switch (text[at]) {
      case ' ':
      case '\n':
      case '\r':
      case '\t':
        continue;
      case '[':
      case '{':
        elements++;
        depth++;
        if (depth > deepest) deepest = depth;
        isEmpty = true;
        continue;
      case ']':
      case '}':
        depth--;
        if (isEmpty) elements--;
        break;
      case ',':
        elements++;
        break;
      case '"':
        at = endOfString(text, at);
        break;
      default:
    }
    isEmpty = false;
  }
  return { depth: deepest, elements };
}

/** The index of the last quotation mark of the string that begins at `from`. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text[before] === '\\') before--;
  return (at - before) % 2 === 0;
}

/** The shape of a parsed value. Stops when the shape exceeds `most`. */
export function shapeOfValue(value: unknown, most: JsonShape): JsonShape {
  let deepest = 0;
  let elements = 0;
  const look = (inner: unknown, depth: number) => {
    if (typeof inner !== 'object' || inner === null) return;
    deepest = Math.max(deepest, depth);
    if (deepest > most.depth) return;
    const values: unknown[] = Array.isArray(inner) ? inner : Object.values(inner);
    elements += values.length;
    for (const each of values) {
      if (elements > most.elements) return;
      look(each, depth + 1);
    }
  };
  look(value, 1);
  return { depth: deepest, elements };
}

/**
 * The number of elements and keys of a request outside the arguments of tool calls. The protocol's schemas check only
 * these, each several times.
 */
export function elementsOutsideArguments(body: unknown, shape: JsonShape): number {
  const inside = messagesOf(body)
    .filter((message) => methodOf(message) === 'tools/call')
    .map((message) => propertyOf(propertyOf(message, 'params'), 'arguments'))
    .filter((args) => typeof args === 'object' && args !== null)
    .map((args) => shapeOfValue(args, shape).elements - Object.keys(args as object).length);
  return inside.reduce((outside, elements) => outside - elements, shape.elements);
}
