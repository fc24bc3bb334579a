import { messagesOf, methodOf, propertyOf } from './json-rpc.js';

/** The nesting depth of a JSON value, and the total number of its array elements and object keys. */
export interface JsonShape {
  readonly depth: number;
  readonly elements: number;
}

/** The shape of a parsed value. Stops when the shape exceeds `max`. */
export function shapeOfValue(value: unknown, max: JsonShape): JsonShape {
  let deepest = 0;
  let elements = 0;
  const visit = (inner: unknown, depth: number) => {
    if (typeof inner !== 'object' || inner === null) return;
    deepest = Math.max(deepest, depth);
    if (deepest > max.depth) return;
    const values: unknown[] = Array.isArray(inner) ? inner : Object.values(inner);
    elements += values.length;
    for (const each of values) {
      if (elements > max.elements) return;
      visit(each, depth + 1);
    }
  };
  visit(value, 1);
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
