import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldAt, isJsonPointer, valueAt } from './json-pointer.js';

/** The document of RFC 6901 section 5. */
const DOCUMENT: unknown = JSON.parse(
  String.raw`{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`,
);

describe('a JSON Pointer', () => {
  it.each<[string, unknown]>([
    ['', DOCUMENT],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/g|h', 4],
    ['/i\\j', 5],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
  ])('%j finds what RFC 6901 says', (pointer, value) => {
    expect(valueAt(DOCUMENT, pointer)).toEqual(value);
  });

  it.each(['/nothing', '/foo/2', '/foo/-', '/foo/00', '/foo/length', '/a~1b/toFixed', 'foo', '/m~2n', '/m~'])(
    '%j finds nothing',
    (pointer) => {
      expect(valueAt(DOCUMENT, pointer)).toBeUndefined();
    },
  );

  it('reads `~01` as `~1`, not as a slash', () => {
    expect(valueAt({ '~1': 'tilde', '/': 'slash' }, '/~01')).toBe('tilde');
  });

  it('finds every value of every document', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (document) => {
        const parsed: unknown = JSON.parse(JSON.stringify(document));
        for (const [pointer, value] of placesIn(parsed, '')) {
          expect(isJsonPointer(pointer)).toBe(true);
          expect(valueAt(parsed, pointer)).toBe(value);
        }
      }),
    );
  });

  it('finds only what the document contains, and nothing that its objects inherit', () => {
    const inherited = Object.getOwnPropertyNames(Object.prototype);
    const token = fc.oneof(fc.constantFrom(...inherited, 'length', 'map', '0'), fc.string());
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.array(token, { maxLength: 4 }), (document, tokens) => {
        const parsed: unknown = JSON.parse(JSON.stringify(document));
        const pointer = tokens.map((each) => `/${each}`).join('');
        const places = new Map(placesIn(parsed, ''));
        expect(valueAt(parsed, pointer)).toBe(places.get(pointer));
      }),
    );
  });
});

describe('a field', () => {
  it('is a top-level name, or a JSON Pointer if it begins with a slash', () => {
    const document = { 'a.b': 1, 'c~d': 2, e: { f: 3 }, '~1': 4 };
    expect(['a.b', 'c~d', '/e/f', '~1', 'e/f'].map((field) => fieldAt(document, field))).toEqual([
      1,
      2,
      3,
      4,
      undefined,
    ]);
  });
});

/** Every value of a document, with its pointer. */
function* placesIn(value: unknown, pointer: string): Generator<[string, unknown]> {
  yield [pointer, value];
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    yield* placesIn(inner, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  }
}
