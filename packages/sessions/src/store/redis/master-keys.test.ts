import { describe, expect, it, vi } from 'vitest';
import { SessionError } from '../../errors.js';
import * as memory from '../../vault/memory.js';
import { parseMasterKeys } from './master-keys.js';

const base64 = (byte: number) => Buffer.alloc(32, byte).toString('base64');

function refusalOf(values: readonly string[]): SessionError {
  try {
    parseMasterKeys(values);
  } catch (error) {
    if (error instanceof SessionError) return error;
  }
  throw new Error('The keys were accepted.');
}

describe('master keys', () => {
  it('have an id and 32 bytes each, the newest first', () => {
    const keys = parseMasterKeys([` 2026b:${base64(2)}\n`, `2026a:${base64(1)}`]);
    expect(keys).toEqual([
      { id: '2026b', bytes: Buffer.alloc(32, 2) },
      { id: '2026a', bytes: Buffer.alloc(32, 1) },
    ]);
  });

  it.each([
    ['an empty list', [], '`keys` is empty'],
    ['a key without an id', [base64(1)], 'not `id:base64`'],
    ['an empty id', [`:${base64(1)}`], 'not `id:base64`'],
    ['an id of 65 characters', [`${'a'.repeat(65)}:${base64(1)}`], 'not `id:base64`'],
    ['31 bytes', [`a:${Buffer.alloc(31, 7).toString('base64')}`], 'not `id:base64`'],
    ['33 bytes', [`a:${Buffer.alloc(33, 7).toString('base64')}`], 'not `id:base64`'],
    ['base64url', [`a:${Buffer.alloc(32, 0xfb).toString('base64url')}`], 'not `id:base64`'],
    ['two keys with one id', [`a:${base64(1)}`, ` a:${base64(2)}`], 'Two master keys have the same id'],
  ])('cannot be %s, which the message does not repeat', (_what, values, message) => {
    const error = refusalOf(values);
    expect(error).toMatchObject({ code: 'configuration', message: expect.stringContaining(message) });
    for (const value of values) expect(error.message).not.toContain(value.split(':').at(-1));
  });

  it.each([
    ['a later one is invalid', [`a:${base64(1)}`, 'b:short']],
    ['two have the same id', [`a:${base64(1)}`, `a:${base64(2)}`]],
  ])('are overwritten if %s', (_why, values) => {
    const made: Buffer[] = [];
    const secretBytes = memory.secretBytes;
    const spy = vi.spyOn(memory, 'secretBytes').mockImplementation((...args) => {
      const bytes = secretBytes(...args);
      made.push(bytes);
      return bytes;
    });
    refusalOf(values);
    spy.mockRestore();
    expect(made.length).toBeGreaterThan(0);
    for (const bytes of made) expect(bytes).toEqual(Buffer.alloc(32));
  });
});
