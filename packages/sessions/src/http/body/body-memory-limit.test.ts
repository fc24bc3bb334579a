import { describe, expect, it } from 'vitest';
import { type ClientKey, clientKeyOf } from '../../limits/client-key.js';
import { BodyMemoryLimit, type MemoryReservation } from './body-memory-limit.js';

const KIB = 1024;
const ATTACKER = clientKeyOf('192.0.2.1');
const OTHER = clientKeyOf('192.0.2.2');

/** A limit of 1 MiB, and the names of evicted bodies. */
function setUp() {
  const memory = new BodyMemoryLimit(1024 * KIB);
  const evicted: string[] = [];
  const reserve = (name: string, kib: number, clientKey: ClientKey | undefined): MemoryReservation =>
    memory.reserve(clientKey, kib * KIB, () => evicted.push(name));
  return { memory, evicted, reserve };
}

describe('the memory limit of bodies', () => {
  it('evicts a body of the client that uses the most, whichever client sends the next one [security 41]', () => {
    const { memory, evicted, reserve } = setUp();
    reserve('other', 300, OTHER);
    for (let count = 0; count < 20; count++) reserve(`${count}`, 100, ATTACKER);
    reserve('another', 100, OTHER);
    reserve('unknown', 100, undefined);
    expect(evicted).not.toContain('other');
    expect(evicted).not.toContain('another');
    expect(evicted).not.toContain('unknown');
    expect(memory.size).toBeLessThanOrEqual(1024 * KIB);
  });

  it('evicts the oldest large body first, and small bodies only if there are no large ones', () => {
    const { evicted, reserve } = setUp();
    const slow = reserve('small', 64, ATTACKER);
    for (const name of ['first', 'second', 'third']) reserve(name, 300, ATTACKER);
    expect(evicted).toEqual([]);
    reserve('fourth', 300, ATTACKER);
    slow.resize(65 * KIB);
    reserve('fifth', 300, ATTACKER);
    expect(evicted).toEqual(['first', 'second']);
  });

  it('evicts small bodies if there are too many', () => {
    const { memory, evicted, reserve } = setUp();
    for (let count = 0; count < 20; count++) reserve(`${count}`, 64, ATTACKER);
    expect(evicted).toEqual(['0', '1', '2', '3']);
    expect(memory.size).toBe(1024 * KIB);
  });

  it('counts the bytes in use, and frees them when a body is released or evicted', () => {
    const { memory, evicted, reserve } = setUp();
    const bodies = [reserve('a', 10, ATTACKER), reserve('b', 1, OTHER), reserve('c', 0, undefined)];
    expect(memory.size).toBe(16 * KIB);
    for (const body of bodies) body.resize(100 * KIB);
    expect(memory.size).toBe(300 * KIB);
    for (const body of bodies) body.release();
    expect(memory.size).toBe(0);
    for (let count = 0; count < 11; count++) reserve(`${count}`, 100, undefined);
    expect(evicted).toHaveLength(1);
    expect(memory.size).toBe(1000 * KIB);
  });

  it('counts a body of an unknown address for itself', () => {
    const { evicted, reserve } = setUp();
    for (let count = 0; count < 9; count++) reserve(`unknown ${count}`, 100, undefined);
    reserve('attacker', 200, ATTACKER);
    expect(evicted).toEqual(['attacker']);
  });
});
