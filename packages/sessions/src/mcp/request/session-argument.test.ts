import { fromJsonSchema, type StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { assertArgumentFree, handleOf, SESSION_META_KEY, withSessionArgument } from './session-argument.js';

const target = { target: 'draft-2020-12' } as const;

const schemas: Record<string, StandardSchemaWithJSON> = {
  'a zod object': z.object({ text: z.string() }),
  'a strict zod object': z.strictObject({ text: z.string() }),
  'a union': z.union([z.object({ text: z.string() }), z.object({ text: z.string(), more: z.number() })]),
  'a union of strict objects': z.union([
    z.strictObject({ text: z.string() }),
    z.strictObject({ id: z.number() }),
  ]),
  'a pipe': z.object({ text: z.string() }).transform(({ text }) => ({ text })),
  'plain JSON Schema': fromJsonSchema({
    type: 'object',
    properties: { text: { type: 'string' } },
    required: ['text'],
    additionalProperties: false,
  }),
};

describe.each(Object.entries(schemas))('the session argument in %s', (_kind, schema) => {
  it('is announced, and validates', async () => {
    const json = withSessionArgument(schema)['~standard'].jsonSchema.input(target);
    expect(json).toMatchObject({ properties: { session: { type: 'string' } } });
    const announced = fromJsonSchema(json)['~standard'];
    expect(await announced.validate({ text: 'a', session: 'h' })).not.toHaveProperty('issues');
  });

  it('is not asked for in a header as well, for headers are logged [security 57]', () => {
    const json = withSessionArgument(schema)['~standard'].jsonSchema.input(target);
    expect(JSON.stringify(json)).not.toMatch(/x-mcp-header/i);
  });

  it('is taken out before the tool sees its arguments', async () => {
    const result = await withSessionArgument(schema)['~standard'].validate({ text: 'a', session: 'h' });
    expect(result).toMatchObject({ value: { text: 'a' } });
    expect(result).not.toHaveProperty('value.session');
  });

  it('does not soften what the schema demands', async () => {
    const result = await withSessionArgument(schema)['~standard'].validate({ text: 7, session: 'h' });
    expect(result).toHaveProperty('issues');
  });
});

describe('a tool', () => {
  it('that has a session argument of its own is refused', () => {
    const own = [
      z.object({ session: z.string() }),
      z.union([z.object({ session: z.string() }), z.object({})]),
    ];
    for (const schema of own) expect(() => assertArgumentFree('mine', schema)).toThrow('Rename it');
    expect(() => assertArgumentFree('mine', z.object({ sessions: z.string() }))).not.toThrow();
  });
});

describe('the handle of a request', () => {
  const method = 'tools/call';
  const inArguments = (session: unknown) => ({ method, params: { arguments: { session } } });
  const inMeta = (session: unknown) => ({ params: { _meta: { [SESSION_META_KEY]: session } } });
  const inBoth = (one: unknown, other: unknown) => ({
    method,
    params: { ...inArguments(one).params, ...inMeta(other).params },
  });

  it('is in the arguments of the tool, or in _meta', () => {
    for (const body of [inArguments('a'), inMeta('a'), inBoth('a', 'a')]) {
      expect(handleOf(body)).toEqual({ kind: 'handle', value: 'a' });
    }
  });

  it('is not what a prompt calls its own argument', () => {
    expect(handleOf({ ...inArguments('a'), method: 'prompts/get' })).toEqual({ kind: 'none' });
  });

  it('is none where there is no place for it', () => {
    for (const body of [undefined, null, 7, 'x', [], {}, { params: null }, { params: { arguments: [] } }]) {
      expect(handleOf(body)).toEqual({ kind: 'none' });
    }
  });

  it('is invalid if it is no text, or two', () => {
    for (const body of [inArguments(7), inArguments(null), inMeta({}), inBoth('a', 'b'), inBoth('a', 7)]) {
      expect(handleOf(body)).toEqual({ kind: 'invalid' });
    }
  });
});
