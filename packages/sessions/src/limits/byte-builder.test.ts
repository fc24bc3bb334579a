import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteBuilder } from './byte-builder.js';

function collected(chunks: Iterable<Uint8Array>): ByteBuilder {
  const bytes = new ByteBuilder();
  for (const chunk of chunks) bytes.add(chunk);
  return bytes;
}

describe('a byte builder', () => {
  it('decodes the same text however it was split, whether it is UTF-8 or not', () => {
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
        const chunks = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
        const together = collected(chunks);
        expect(together.size).toBe(bytes.length);
        expect(together.text()).toBe(new TextDecoder().decode(bytes));
      }),
    );
  });

  it('allocates at most twice the size, and at least a page', () => {
    const bytes = new ByteBuilder();
    for (let size = 10; size <= 20_000; size += 10) {
      bytes.add(new Uint8Array(10));
      expect(bytes.capacity).toBeLessThanOrEqual(Math.max(2 * size, 4096));
    }
  });

  it('keeps no bytes after it is cleared', () => {
    const bytes = collected([new Uint8Array(10_000), new Uint8Array(10)]);
    bytes.clear();
    expect([bytes.capacity, bytes.size, bytes.text()]).toEqual([0, 0, '']);
  });
});
