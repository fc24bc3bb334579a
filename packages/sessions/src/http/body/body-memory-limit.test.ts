import { describe, expect, it } from 'vitest';
import { type ClientKey, clientKeyOf } from '../../limits/client-key.js';
import { BodyMemoryLimit, type HeldBody } from './body-memory-limit.js';

const KIB = 1024;
const ATTACKER = clientKeyOf('192.0.2.1');
const OTHER = clientKeyOf('192.0.2.2');

/** A room for 1 MiB, and who had to make room in it. */
function setUp() {
  const room = new BodyMemoryLimit(1024 * KIB);
  const gone: string[] = [];
  const hold = (name: string, kib: number, clientKey: ClientKey | undefined): HeldBody =>
    room.hold(clientKey, kib * KIB, () => gone.push(name));
  return { room, gone, hold };
}

describe('the room for bodies that are being received', () => {
  it('is made by whoever takes up most of it, whoever comes [security 41]', () => {
    const { room, gone, hold } = setUp();
    hold('other', 300, OTHER);
    for (let count = 0; count < 20; count++) hold(`${count}`, 100, ATTACKER);
    hold('another', 100, OTHER);
    hold('nameless', 100, undefined);
    expect(gone).not.toContain('other');
    expect(gone).not.toContain('another');
    expect(gone).not.toContain('nameless');
    expect(room.size).toBeLessThanOrEqual(1024 * KIB);
  });

  it('is made by the oldest of the large ones first, and by small ones only when there are no others', () => {
    const { gone, hold } = setUp();
    const slow = hold('small', 64, ATTACKER);
    for (const name of ['first', 'second', 'third']) hold(name, 300, ATTACKER);
    expect(gone).toEqual([]);
    hold('fourth', 300, ATTACKER);
    slow.resize(65 * KIB);
    hold('fifth', 300, ATTACKER);
    expect(gone).toEqual(['first', 'second']);
  });

  it('is made by small ones when there are too many of them', () => {
    const { room, gone, hold } = setUp();
    for (let count = 0; count < 20; count++) hold(`${count}`, 64, ATTACKER);
    expect(gone).toEqual(['0', '1', '2', '3']);
    expect(room.size).toBe(1024 * KIB);
  });

  it('is counted as it is taken up, and free again when a body is there, or has gone', () => {
    const { room, gone, hold } = setUp();
    const bodies = [hold('a', 10, ATTACKER), hold('b', 1, OTHER), hold('c', 0, undefined)];
    expect(room.size).toBe(16 * KIB);
    for (const body of bodies) body.resize(100 * KIB);
    expect(room.size).toBe(300 * KIB);
    for (const body of bodies) body.release();
    expect(room.size).toBe(0);
    for (let count = 0; count < 11; count++) hold(`${count}`, 100, undefined);
    expect(gone).toHaveLength(1);
    expect(room.size).toBe(1000 * KIB);
  });

  it('counts those for themselves of whom no address is known', () => {
    const { gone, hold } = setUp();
    for (let count = 0; count < 9; count++) hold(`nameless ${count}`, 100, undefined);
    hold('attacker', 200, ATTACKER);
    expect(gone).toEqual(['attacker']);
  });
});
