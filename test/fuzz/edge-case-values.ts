import fc, { type Arbitrary } from 'fast-check';

const ODD_STRINGS = [
  '',
  ' ',
  'x',
  '__proto__',
  'constructor',
  'toString',
  'null',
  '\u0000',
  '\ud800',
  '\u202enoitcerid',
  '🧨👩‍👩‍👧',
  'e\u0301',
  '../../etc/passwd',
  "' OR 1=1 --",
  '<script>alert(1)</script>',
  '{{7*7}}',
  '%00',
  '\r\nSet-Cookie: odd=1',
  'A'.repeat(43),
  'A'.repeat(257),
  'A'.repeat(5000),
];

/** Texts that expose faults in programs. */
export const edgeCaseString: Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...ODD_STRINGS) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);

const ODD_NUMBERS = [0, -1, 1.5, 1e308, -1e-308, 2 ** 31, 2 ** 53 + 1, -(2 ** 63)];
// Parsed, so that `__proto__` is an own property.
const POLLUTION = ['{"__proto__":{"polluted":true}}', '{"constructor":{"prototype":{"polluted":true}}}'];

/** Values that expose faults in programs. */
export const edgeCaseValue: Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: edgeCaseString },
  { weight: 3, arbitrary: fc.constantFrom(...ODD_NUMBERS, null, true, false, [], {}, [[]], [null]) },
  { weight: 1, arbitrary: fc.constantFrom(...POLLUTION).map((json): unknown => JSON.parse(json)) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
);

/** Values close to what HTTP allows. */
export const edgeCaseHeaderValue: Arbitrary<string> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.constantFrom('', ' ', '*', '*/*', ',', ';', '"', 'null', 'A'.repeat(43), '\u00ff'),
  },
  { weight: 1, arbitrary: fc.constantFrom('A'.repeat(5000), '__proto__', '0', '-1', 'a, b', 'a;b=c;d="e') },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 40 }) },
);

/** A value for a URL, without unpaired surrogates. */
export function encoded(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}
