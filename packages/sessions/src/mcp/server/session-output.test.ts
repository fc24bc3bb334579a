import { fromJsonSchema, type StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { type } from 'arktype';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SESSION_META_KEY } from '../request/session-argument.js';
import { sessionOutputOf } from './session-output.js';

const target = { target: 'draft-2020-12' } as const;
const HANDLE = 'h'.repeat(43);
const NOTE = { session: HANDLE, next: expect.stringContaining('Pass this `session`') };

const tree: z.ZodType = z.strictObject({
  name: z.string(),
  get children() {
    return z.array(tree);
  },
});

interface Example {
  readonly schema: StandardSchemaWithJSON;
  readonly good: unknown;
  readonly bad: unknown;
  /** What it becomes. Default: the result with the fields of the handle beside its own. */
  readonly becomes?: unknown;
}

const EXAMPLES: Record<string, Example> = {
  'an object': { schema: z.object({ n: z.number() }), good: { n: 1 }, bad: { n: 'x' } },
  'a strict object': { schema: z.strictObject({ n: z.number() }), good: { n: 1 }, bad: { m: 1 } },
  'a loose object': { schema: z.looseObject({ n: z.number() }), good: { n: 1, more: 2 }, bad: {} },
  'plain JSON Schema': {
    schema: fromJsonSchema({
      type: 'object',
      properties: { n: { type: 'number' } },
      required: ['n'],
      additionalProperties: false,
    }),
    good: { n: 1 },
    bad: { n: 1, m: 2 },
  },
  'JSON Schema that counts, and names, properties': {
    schema: fromJsonSchema({
      type: 'object',
      maxProperties: 1,
      propertyNames: { enum: ['n'] },
      unevaluatedProperties: false,
      properties: { n: { type: 'number' } },
    }),
    good: { n: 1 },
    bad: { m: 1 },
  },
  'what a reference leads to': {
    schema: fromJsonSchema({
      $ref: '#/$defs/one',
      $defs: {
        one: {
          type: 'object',
          properties: { n: { type: 'number' } },
          required: ['n'],
          additionalProperties: false,
        },
      },
    }),
    good: { n: 1 },
    bad: {},
  },
  'an ArkType that refuses other keys': {
    schema: type({ '+': 'reject', n: 'number' }),
    good: { n: 1 },
    bad: { n: 1, m: 2 },
  },
  'a union of strict objects': {
    schema: z.union([z.strictObject({ n: z.number() }), z.strictObject({ m: z.string() })]),
    good: { m: 'x' },
    bad: { n: 1, m: 'x' },
  },
  'a discriminated union': {
    schema: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('a'), n: z.number() }),
      z.strictObject({ kind: z.literal('b') }),
    ]),
    good: { kind: 'a', n: 1 },
    bad: { kind: 'b', n: 1 },
  },
  'a tree': {
    schema: tree as StandardSchemaWithJSON,
    good: { name: 'a', children: [{ name: 'b', children: [] }] },
    bad: { name: 'a' },
  },
  'an object with a `next` of its own': {
    schema: z.strictObject({ items: z.array(z.number()), next: z.string().optional() }),
    good: { items: [1], next: 'page 2' },
    bad: { items: 1 },
    becomes: { items: [1], next: 'page 2', [SESSION_META_KEY]: NOTE },
  },
  'a loose object whose result has a `session` of its own': {
    schema: z.looseObject({ n: z.number() }),
    good: { n: 1, session: 7 },
    bad: {},
    becomes: { n: 1, session: 7, [SESSION_META_KEY]: NOTE },
  },
  'a record of numbers': {
    schema: z.record(z.string(), z.number()),
    good: { a: 1, next: 2 },
    bad: { a: 'x' },
    becomes: { a: 1, next: 2, [SESSION_META_KEY]: NOTE },
  },
  'a list': {
    schema: z.array(z.number()),
    good: [1, 2],
    bad: ['x'],
    becomes: { result: [1, 2], ...NOTE },
  },
  'an object, or a list': {
    schema: z.union([z.strictObject({ n: z.number() }), z.array(z.number())]),
    good: { n: 1 },
    bad: 'x',
  },
  'a text': { schema: z.string(), good: 'a', bad: 1, becomes: { result: 'a', ...NOTE } },
};

describe.each(Object.entries(EXAMPLES))('a result that is %s', (_kind, { schema, good, bad, becomes }) => {
  const output = sessionOutputOf(schema);
  const standard = output.schema!['~standard'];
  const listed = fromJsonSchema(standard.jsonSchema.output(target))['~standard'];

  it('contains the handle, and fits the listed schema and its own', async () => {
    const told = output.withSession(good, HANDLE);
    expect(told).toEqual(becomes ?? { ...(good as object), ...NOTE });
    expect(await listed.validate(told)).not.toHaveProperty('issues');
    expect(await standard.validate(told)).not.toHaveProperty('issues');
  });

  it('fits both schemas without the handle, too', async () => {
    expect(await listed.validate(good)).not.toHaveProperty('issues');
    expect(await standard.validate(good)).not.toHaveProperty('issues');
  });

  it('is refused as before where it does not fit its own schema, with the handle or without', async () => {
    expect(await listed.validate(bad)).toHaveProperty('issues');
    expect(await standard.validate(bad)).toHaveProperty('issues');
    expect(await standard.validate(output.withSession(bad, HANDLE))).toHaveProperty('issues');
  });
});

describe('a result', () => {
  it('without structured content stays without: a host would show the handle in place of the text', () => {
    expect(sessionOutputOf(undefined).withSession(undefined, HANDLE)).toBeUndefined();
    expect(sessionOutputOf(z.object({})).withSession(undefined, HANDLE)).toBeUndefined();
  });

  it('of a tool without an output schema tells the handle beside what else it says', () => {
    expect(sessionOutputOf(undefined).withSession({ n: 1 }, HANDLE)).toEqual({ n: 1, ...NOTE });
    expect(sessionOutputOf(undefined).withSession({ next: 'page 2' }, HANDLE)).toEqual({
      next: 'page 2',
      [SESSION_META_KEY]: NOTE,
    });
  });

  it('does not change if its schema cannot be analyzed', async () => {
    const schema = fromJsonSchema({
      type: 'object',
      patternProperties: { '.*': { type: 'number' } },
      additionalProperties: false,
    });
    const output = sessionOutputOf(schema);
    expect(output.withSession({ n: 1 }, HANDLE)).toEqual({ n: 1 });
    expect(output.schema?.['~standard'].jsonSchema.output(target)).toMatchObject({
      additionalProperties: false,
    });
  });

  it('does not change the object of its schema library', () => {
    const json = { type: 'object', properties: { n: {} }, additionalProperties: false } as const;
    sessionOutputOf(fromJsonSchema(json)).schema?.['~standard'].jsonSchema.output(target);
    expect(json.properties).toEqual({ n: {} });
  });
});
