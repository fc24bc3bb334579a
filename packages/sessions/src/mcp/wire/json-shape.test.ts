import { describe, expect, it } from 'vitest';
import { elementsOutsideArguments, shapeOfValue } from './json-shape.js';

const FAR = { depth: 1000, elements: 1_000_000 };

describe('the shape of a JSON value', () => {
  it('is measured only up to the limit', () => {
    const most = { depth: 3, elements: 10 };
    expect(shapeOfValue(JSON.parse('['.repeat(5000) + ']'.repeat(5000)), most).depth).toBe(4);
    expect(shapeOfValue([[...'a'.repeat(11)], [...'b'.repeat(500)]], most).elements).toBe(13);
  });
});

describe('the elements of a request', () => {
  const rows = Array.from({ length: 100 }, () => [1, 2]);
  const call = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'sum', arguments: { rows, n: 1 } },
  };
  const outside = (body: unknown) => elementsOutsideArguments(body, shapeOfValue(body, FAR));

  it('count outside the arguments of tool calls, including the names of arguments', () => {
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
  ])('count everywhere else: %#', (body) => {
    expect(outside(body)).toBeGreaterThan(100);
  });
});
