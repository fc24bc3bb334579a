import { fromJsonSchema } from '@modelcontextprotocol/server';
import { type } from 'arktype';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { z as z3 } from 'zod/v3';
import { inMemory2025, inMemory2026 } from '../../../../../test/support/in-memory-client.js';
import { createSessions } from '../../server/create-sessions.js';
import type { RegisterTools } from '../server/factory.js';
import { limitIssues } from './tool-schema.js';

function start(tools: RegisterTools) {
  const sessions = createSessions({
    server: { name: 'test', version: '1' },
    publicUrl: 'http://127.0.0.1:3000',
    providers: { issuer: 'https://id.example.com', clientId: 'test' },
    tools,
  });
  onTestFinished(() => sessions.close());
  return sessions;
}

/** Registers a tool as JavaScript does, without a look at the types of its schemas. */
function register(config: { inputSchema?: unknown; outputSchema?: unknown }): RegisterTools {
  return (server) => {
    const content = [{ type: 'text' as const, text: 'done' }];
    const handler = async (args: unknown) => ({ content, structuredContent: { given: args } });
    server.registerTool('act', { description: 'Acts.', ...(config as object) }, handler as never);
  };
}

/** A library may implement the interface by a class, whose members are no properties of its objects. */
class ClassSchema {
  readonly version = 1;
  readonly vendor = 'other';

  validate(value: unknown): object {
    return z.object({ text: z.string() })['~standard'].validate(value);
  }

  get jsonSchema(): object {
    return z.object({ text: z.string() })['~standard'].jsonSchema;
  }
}

const WORKING: Record<string, unknown> = {
  'a zod 4 object': z.object({ text: z.string() }),
  'a raw shape of zod 4': { text: z.string() },
  'an ArkType': type({ text: 'string' }),
  'JSON Schema in fromJsonSchema': fromJsonSchema({
    type: 'object',
    properties: { text: { type: 'string' } },
    required: ['text'],
  }),
  'a zod 4 object from before it told its JSON Schema': (() => {
    const schema = z.object({ text: z.string() });
    const { version, vendor, validate } = schema['~standard'];
    return Object.assign(Object.create(schema), { '~standard': { version, vendor, validate } });
  })(),
  'a schema of a library that is made of classes': { '~standard': new ClassSchema() },
};

describe.each(Object.entries(WORKING))('a tool whose input is %s', (_kind, inputSchema) => {
  it.each(['2025', '2026'] as const)('is listed, called, and refuses what does not fit (%s)', async (era) => {
    const sessions = start(register({ inputSchema }));
    const client = await (era === '2025' ? inMemory2025(sessions) : inMemory2026(sessions));
    const { tools } = z
      .object({ tools: z.array(z.looseObject({ name: z.string(), inputSchema: z.unknown() })) })
      .parse(await client.listTools());
    expect(tools.find(({ name }) => name === 'act')?.inputSchema).toMatchObject({
      type: 'object',
      properties: { text: { type: 'string' } },
    });
    expect((await client.call('act', { text: 'a' })).structured).toEqual({ given: { text: 'a' } });
    expect(await client.call('act', { text: 7 })).toMatchObject({
      isError: true,
      text: expect.stringMatching(/tool act/),
    });
  });
});

it.each(['2025', '2026'] as const)(
  'the JSON Schema of a tool is produced at start, and not for each request (%s)',
  async (era) => {
    let produced = 0;
    const { validate, jsonSchema } = z.object({ text: z.string() })['~standard'];
    const counted = {
      input: (options: never) => {
        produced++;
        return jsonSchema.input(options);
      },
      output: jsonSchema.output,
    };
    const inputSchema = { '~standard': { version: 1, vendor: 'counting', validate, jsonSchema: counted } };
    const sessions = start(register({ inputSchema }));
    const connect = () => (era === '2025' ? inMemory2025(sessions) : inMemory2026(sessions));
    const client = await connect();
    await client.listTools();
    const listed = produced;
    await client.listTools();
    await client.call('act', { text: 'a' });
    expect(produced).toBe(listed);
  },
);

const BROKEN: Record<string, readonly [schema: unknown, text: RegExp]> = {
  'a zod 3 object': [z3.object({ text: z3.string() }), /made with zod 3.*Use zod 4/],
  'a raw shape of zod 3': [{ text: z3.string() }, /made with zod 3.*Use zod 4/],
  'plain JSON Schema': [
    { type: 'object', properties: { text: { type: 'string' } } },
    /not a Standard Schema.*`fromJsonSchema` of @modelcontextprotocol\/server/,
  ],
  'a text': ['object', /not a Standard Schema/],
  'a Standard Schema that does not tell its JSON Schema': [
    { '~standard': { version: 1, vendor: 'other', validate: () => ({ value: {} }) } },
    /version of "other".*Use a newer one/,
  ],
  'what has no JSON Schema': [z.object({ when: z.date() }), /cannot be turned into JSON Schema/],
};

describe.each(Object.entries(BROKEN))('a schema that is %s', (_kind, [schema, text]) => {
  it.each(['inputSchema', 'outputSchema'] as const)(
    'is refused as %s at start, by the name of its tool',
    (option) => {
      const starting = () => start(register({ [option]: schema }));
      expect(starting).toThrow(`The \`${option}\` of the tool "act" `);
      expect(starting).toThrow(text);
      expect(starting).toThrow(expect.objectContaining({ code: 'configuration' }));
    },
  );
});

it('an input that is no object is refused at start, by the name of its tool', () => {
  expect(() => start(register({ inputSchema: z.string() }))).toThrow(
    /`inputSchema` of the tool "act" must describe an object, not "string"/,
  );
});

describe.each(['2025', '2026'] as const)('the output schemas that a client of %s lists', (era) => {
  async function outputSchemas(outputSchema?: unknown): Promise<Record<string, unknown>> {
    const sessions = start(register({ outputSchema }));
    const client = await (era === '2025' ? inMemory2025(sessions) : inMemory2026(sessions));
    const { tools } = z
      .object({ tools: z.array(z.looseObject({ name: z.string(), outputSchema: z.unknown() })) })
      .parse(await client.listTools());
    return Object.fromEntries(tools.map((tool) => [tool.name, tool.outputSchema]));
  }

  it('do not name the default dialect, which clients of SDK 1.12 do not know', async () => {
    const { act, ...own } = await outputSchemas(z.object({ text: z.string() }));
    expect(Object.keys(own).sort()).toEqual(['login', 'logout', 'session_status']);
    for (const schema of [act, ...Object.values(own)]) {
      expect(schema).toMatchObject({ type: 'object' });
      expect(schema).not.toHaveProperty('$schema');
    }
  });

  it('name any other dialect', async () => {
    const $schema = 'http://json-schema.org/draft-07/schema#';
    const { act } = await outputSchemas(fromJsonSchema({ $schema, type: 'object' }));
    expect(act).toMatchObject({ $schema });
  });
});

describe('a schema that limits its issues', () => {
  const schema = limitIssues(z.object({ rows: z.array(z.string()) }))['~standard'];

  it('reports 20 of them and how many more there are [security 40]', async () => {
    const { issues = [] } = await schema.validate({ rows: Array.from({ length: 5000 }, () => 0) });
    expect(issues).toHaveLength(21);
    expect(issues[0]).toMatchObject({ path: ['rows', 0] });
    expect(issues[20]).toEqual({ message: 'and 4980 more' });
  });

  it('reports fewer issues as they are, and returns values', async () => {
    expect((await schema.validate({ rows: [0] })).issues).toHaveLength(1);
    expect(await schema.validate({ rows: ['a'] })).toEqual({ value: { rows: ['a'] } });
  });
});
