import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseOptions } from './parse-options.js';

const schema = z.strictObject({ idleMs: z.number().default(5), absoluteMs: z.number().optional() });
const parse = (options: unknown) => parseOptions(schema, options, 'The lifetimes are invalid');

describe('options', () => {
  it('get the defaults of their schema', () => {
    expect(parse({})).toEqual({ idleMs: 5 });
  });

  it('are refused with a value that is invalid, named by its path', () => {
    expect(() => parse({ idleMs: '5' })).toThrow(
      expect.objectContaining({
        code: 'configuration',
        message: expect.stringMatching(/^The lifetimes are invalid: .*\n {2}→ at idleMs$/),
      }),
    );
  });

  it.each([
    ['idle', 'did you mean `idleMs`?'],
    ['idlems', 'did you mean `idleMs`?'],
    ['idleMilliseconds', 'the options are idleMs, absoluteMs'],
    ['absolutMs', 'did you mean `absoluteMs`?'],
    ['', 'the options are idleMs, absoluteMs'],
  ])('are refused under an unknown name, with the most similar one: %s', (name, hint) => {
    expect(() => parse({ [name]: 5 })).toThrow(`unknown option \`${name}\`; ${hint}`);
  });

  it('are refused together', () => {
    expect(() => parse({ idle: 5, absolute: 5 })).toThrow(/`idle`.*\n.*`absolute`/);
  });
});
