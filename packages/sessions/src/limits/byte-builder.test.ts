import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteBuilder } from './byte-builder.js';

function collected(pieces: Iterable<Uint8Array>): ByteBuilder {
  const bytes = new ByteBuilder();
  for (const piece of pieces) bytes.add(piece);
  return bytes;
}

describe('what comes in pieces', () => {
  it('is the same text wherever it was cut, be it UTF-8 or not', () => {
    const cuts = fc.array(fc.nat(10_000), { maxLength: 20 });
    const some = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.string({ unit: 'binary', maxLength: 50 }).map((text) => new TextEncoder().encode(text)),
    );
    const whole = some.map((bytes) => Buffer.concat(Array.from({ length: 100 }, () => bytes)));
    fc.assert(
      fc.property(whole, cuts, (bytes, places) => {
        const edges = [0, ...places.filter((place) => place < bytes.length), bytes.length].sort(
          (a, b) => a - b,
        );
        const pieces = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
        const together = collected(pieces);
        expect(together.size).toBe(bytes.length);
        expect(together.text()).toBe(new TextDecoder().decode(bytes));
      }),
    );
  });

  it('takes up no more than twice of what it is, and a page', () => {
    const bytes = new ByteBuilder();
    for (let size = 10; size <= 20_000; size += 10) {
      bytes.add(new Uint8Array(10));
      expect(bytes.capacity).toBeLessThanOrEqual(Math.max(2 * size, 4096));
    }
  });

  it('takes up nothing once it is dropped', () => {
    const bytes = collected([new Uint8Array(10_000), new Uint8Array(10)]);
    bytes.clear();
    expect([bytes.capacity, bytes.size, bytes.text()]).toEqual([0, 0, '']);
  });
});
