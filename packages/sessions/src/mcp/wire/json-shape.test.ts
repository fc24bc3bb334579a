import { describe, expect, it } from 'vitest';
import { elementsOutsideArguments, shapeOfValue } from './json-shape.js';

const UNLIMITED = { depth: 1000, elements: 1_000_000 };

describe('shapeOfValue', () => {
  it('stops measuring above the limit', () => {
    const max = { depth: 3, elements: 10 };
    expect(shapeOfValue(JSON.parse('['.repeat(5000) + ']'.repeat(5000)), max).depth).toBe(4);
    expect(shapeOfValue([[...'a'.repeat(11)], [...'b'.repeat(500)]], max).elements).toBe(13);
  });
});

describe('elementsOutsideArguments', () => {
  const rows = Array.from({ length: 100 }, () => [1, 2]);
  const call = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'sum', arguments: { rows, n: 1 } },
  };
  const outside = (body: unknown) => elementsOutsideArguments(body, shapeOfValue(body, UNLIMITED));

  it('counts the elements outside tool arguments, and the names of the arguments', () => {
    expect(outside(call)).toBe(8);
    expect(outside([call, call])).toBe(18);
  });

  it.each([
    { ...call, method: 'prompts/get' },
    { ...call, params: { ...call.params, arguments: undefined, _meta: { rows } } },
    { ...call, params: { ...call.params, arguments: undefined, rows } },
    { ...call, params: { arguments: Object.fromEntries(rows.map((row, index) => [`k${index}`, row])) } },
    { arguments: rows },
    [rows],
  ])('counts the elements in all other places: %#', (body) => {
    expect(outside(body)).toBeGreaterThan(100);
  });
});
