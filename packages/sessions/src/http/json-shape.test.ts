import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { elementsOutsideArguments, shapeOfText, shapeOfValue } from './json-shape.js';

const FAR = { depth: 1000, elements: 1_000_000 };

describe('the shape of a JSON document', () => {
  it('equals that of the parsed value, whatever its strings and white space [security 40]', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 6 }),
        fc.constantFrom(undefined, 2, '\t', '\n \r'),
        (value, space) => {
          expect(shapeOfText(JSON.stringify(value, undefined, space), FAR)).toEqual(shapeOfValue(value, FAR));
        },
      ),
    );
  });

  it.each([
    ['0', 0, 0],
    ['"[{,"', 0, 0],
    ['[]', 1, 0],
    [' { } ', 1, 0],
    ['[[]]', 2, 1],
    ['{"a":1,"b":[2,3]}', 2, 4],
    ['{"a":1,"a":1}', 1, 2],
    ['["\\\\",",","\\\\\\""]', 1, 3],
    ['["open', 1, 1],
  ])('%s: depth %i, elements %i', (text, depth, elements) => {
    expect(shapeOfText(text, FAR)).toEqual({ depth, elements });
  });

  it('is measured only up to the limit', () => {
    const most = { depth: 3, elements: 10 };
    const wide = `[${'0,'.repeat(500)}0]`;
    expect(shapeOfText(wide, most)).toEqual({ depth: 1, elements: 11 });
    expect(shapeOfText('['.repeat(100_000), most).depth).toBe(4);
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
