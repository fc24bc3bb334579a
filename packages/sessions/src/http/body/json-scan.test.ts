import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shapeOfValue } from '../../mcp/wire/json-shape.js';
import { JsonScan } from './json-scan.js';

const FAR = { depth: 1000, elements: 1_000_000 };
const encoder = new TextEncoder();

/** Scans a document in chunks. */
function scan(text: string, { most = FAR, cuts = [] as readonly number[] } = {}) {
  const bytes = encoder.encode(text);
  const scanning = new JsonScan(most);
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  for (const [index, edge] of edges.slice(1).entries()) scanning.add(bytes.subarray(edges[index], edge));
  return { refusal: scanning.end(), shape: scanning.shape };
}

describe('a JSON document that arrives in chunks', () => {
  const cuts = fc.array(fc.nat(10_000), { maxLength: 10 });

  it('has the shape of its parsed value, wherever it is split [security 40]', () => {
    const spaces = fc.constantFrom(undefined, 2, '\t', '\n \r');
    const values = fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' });
    fc.assert(
      fc.property(values, spaces, cuts, (value, space, cuts) => {
        const { refusal, shape } = scan(JSON.stringify(value, undefined, space), { cuts });
        expect(refusal).toBeUndefined();
        expect(shape).toEqual(shapeOfValue(value, FAR));
      }),
    );
  });

  it('is refused only if it is not valid JSON, wherever it is split', () => {
    const some = fc.string({ unit: fc.constantFrom(...'[]{}:,"\\u0 1e-\ntrue\u00e4'), maxLength: 12 });
    fc.assert(
      fc.property(some, cuts, (text, cuts) => {
        if (!scan(text, { cuts }).refusal) return;
        expect(() => JSON.parse(text)).toThrow();
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['0', 0, 0],
    ['"[{,"', 0, 0],
    ['[]', 1, 0],
    [' { } ', 1, 0],
    ['\ufeff[[]]', 2, 1],
    ['{"a":1,"b":[2,3]}', 2, 4],
    ['{"a":1,"a":1}', 1, 2],
    ['["\\\\",",","\\\\\\""]', 1, 3],
  ])('%s: depth %i, elements %i', (text, depth, elements) => {
    expect(scan(text)).toEqual({ refusal: undefined, shape: { depth, elements } });
  });

  it.each([
    ['of another kind', '<html>'],
    ['with strings that nothing separates', '["a""b""c""d""e""f""g""h""i"'],
    ['with two values', '{}{}'],
    ['with brackets that do not match', '[{]'],
    ['with a bracket too many', '[]]'],
    ['with a name that is no literal', '[NaN'],
  ])('%s is refused at once [security 40]', (_, text) => {
    expect(new JsonScan(FAR).add(encoder.encode(text))).toBe('malformed');
  });

  it.each(['[', '["open', '["a\\', '{"a":'])('is refused if it is incomplete: %s', (text) => {
    expect(new JsonScan(FAR).add(encoder.encode(text))).toBeUndefined();
    expect(scan(text).refusal).toBe('malformed');
  });

  it('is scanned only up to the limit [security 40]', () => {
    const most = { depth: 3, elements: 10 };
    const wide = scan(`[${'0,'.repeat(500)}0]`, { most });
    expect(wide).toEqual({ refusal: 'too-many-elements', shape: { depth: 1, elements: 11 } });
    const deep = scan('['.repeat(100_000), { most });
    expect(deep).toEqual({ refusal: 'too-deep', shape: { depth: 4, elements: 4 } });
  });

  const long = 'x'.repeat(64 * 1024 + 1);
  it.each<[string, unknown]>([
    ['in its params', { params: { uri: long } }],
    ['as a key of its params', { params: { [long]: 1 } }],
    ['in itself', { id: long }],
    ['in the params of a batch', [{ params: { uri: long } }]],
    ['alone', long],
  ])('has no string of more than 64 KiB %s [security 40]', (_, value) => {
    expect(scan(JSON.stringify(value), { cuts: [30_000, 70_000] }).refusal).toBe('too-long-string');
  });

  it.each<[string, unknown]>([
    ['tool arguments', { params: { arguments: { text: long } } }],
    ['tool arguments of a batch', [{ params: { arguments: { text: long } } }]],
    ['results', { result: { content: { data: long } } }],
    ['several strings', { params: { uri: long.slice(1), cursor: long.slice(1) } }],
  ])('has longer text in %s', (_, value) => {
    expect(scan(JSON.stringify(value), { cuts: [30_000, 70_000] }).refusal).toBeUndefined();
  });
});
