import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { SessionError } from '../../errors.js';
import { andThen } from '../../time/promises.js';
import { propertyOf } from '../wire/json-rpc.js';
import { shapeOfValue } from '../wire/json-shape.js';

/** A JSON Schema that a schema library has produced. */
export type JsonSchema = Record<string, unknown>;

/** The JSON Schema dialect that the SDK uses in lists. */
const TARGET = 'draft-2020-12';
/** The dialect of a schema that names none (revision 2025-11-25, "JSON Schema Usage"). */
const DEFAULT_DIALECT = 'https://json-schema.org/draft/2020-12/schema';

/** The place of an author's schema, for errors. */
export interface SchemaPlace {
  readonly kind: string;
  readonly name: string;
  readonly option: 'inputSchema' | 'outputSchema' | 'argsSchema';
}

/**
 * Converts an author's schema to the form that the SDK uses. Accepts a Standard Schema that can produce a JSON Schema,
 * or the SDK's deprecated raw shape of zod schemas. A tool without a schema takes no arguments.
 * @throws SessionError `configuration` for any other schema; the message names its place and what to use
 */
export function standardSchemaOf(schema: unknown, place: SchemaPlace): StandardSchemaWithJSON {
  if (schema === undefined) return NO_ARGUMENTS;
  if (isStandardSchema(schema)) return withJsonSchema(schema, place);
  const fields = typeof schema === 'object' && schema !== null ? Object.values(schema) : undefined;
  // The SDK's own test for its raw shapes.
  if (fields?.every(isZod4)) return withJsonSchema(z.object(schema as z.ZodRawShape), place);
  throw unusable(place, fields?.some(isZod3) ? ZOD_3 : NO_STANDARD_SCHEMA);
}

const NO_ARGUMENTS = z.object({});

/**
 * Remembers what is made of an author's schema, as long as the schema lives: in the 2026 era the same tools are
 * registered for each request. A raw shape is not remembered, because its author may change it.
 */
export function rememberedFor<T>(
  make: (schema: unknown, place: SchemaPlace) => T,
): (schema: unknown, place: SchemaPlace) => T {
  const made = new WeakMap<object, T>();
  return (given, place) => {
    const schema = given === undefined ? NO_ARGUMENTS : given;
    if (!isStandardSchema(schema)) return make(schema, place);
    const known = made.get(schema) ?? make(schema, place);
    made.set(schema, known);
    return known;
  };
}

/** The same schema. Its JSON Schema is produced once. */
export function withKnownJson({ '~standard': inner }: StandardSchemaWithJSON): StandardSchemaWithJSON {
  const known: Partial<Record<'input' | 'output', JsonSchema>> = {};
  const jsonOf =
    (io: 'input' | 'output'): ToJsonSchema['input'] =>
    (options) => {
      if (options.target !== TARGET) return inner.jsonSchema[io](options);
      known[io] ??= inner.jsonSchema[io](options);
      return known[io];
    };
  return { '~standard': { ...inner, jsonSchema: { input: jsonOf('input'), output: jsonOf('output') } } };
}

/** @throws SessionError `configuration` when a schema cannot be listed. */
export function assertListable(schema: StandardSchemaWithJSON, place: SchemaPlace): void {
  const isOutput = place.option === 'outputSchema';
  let json: JsonSchema;
  try {
    json = schema['~standard'].jsonSchema[isOutput ? 'output' : 'input']({ target: TARGET });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw unusable(place, `cannot be turned into JSON Schema: ${reason}`, cause);
  }
  if (isOutput || json.type === undefined || json.type === 'object') return;
  throw unusable(place, `must describe an object, not ${JSON.stringify(json.type)}.`);
}

/** The JSON Schema of an output schema. */
export function outputJsonOf(schema: StandardSchemaWithJSON): JsonSchema {
  return schema['~standard'].jsonSchema.output({ target: TARGET });
}

/**
 * The same schema, without `$schema` for the default dialect in its listed JSON Schema. Clients of SDK 1.12 compile
 * output schemas with a validator for draft-07, and fail if a schema names another dialect.
 */
export function withoutDefaultDialect({
  '~standard': inner,
}: StandardSchemaWithJSON): StandardSchemaWithJSON {
  const output: ToJsonSchema['output'] = (options) => {
    const { $schema, ...rest } = inner.jsonSchema.output(options);
    return $schema === undefined || $schema === DEFAULT_DIALECT ? rest : { $schema, ...rest };
  };
  const input: ToJsonSchema['input'] = (options) => inner.jsonSchema.input(options);
  return { '~standard': { ...inner, jsonSchema: { input, output } } };
}

const FROM_JSON_SCHEMA = 'wrap a JSON Schema in `fromJsonSchema` of @modelcontextprotocol/server';
const ZOD_3 = `is made with zod 3, which cannot produce a JSON Schema. Use zod 4, or ${FROM_JSON_SCHEMA}.`;
const NO_STANDARD_SCHEMA = `is not a Standard Schema. Use zod 4, ArkType or Valibot, or ${FROM_JSON_SCHEMA}.`;

type AnyStandardSchema = { readonly '~standard': Omit<StandardSchemaWithJSON['~standard'], 'jsonSchema'> };

function withJsonSchema(schema: AnyStandardSchema, place: SchemaPlace): StandardSchemaWithJSON {
  const { '~standard': standard } = schema;
  const { version, vendor } = standard;
  const jsonSchema = jsonSchemaOf(schema) ?? refuseWithoutJsonSchema(vendor, place);
  // The object is copied by spreading later, which would lose members of a class.
  return { '~standard': { version, vendor, validate: validatorOf(schema), jsonSchema } };
}

type Validate = StandardSchemaWithJSON['~standard']['validate'];

/**
 * Validates as `safeParseAsync` of zod does, in the same tick if no check is asynchronous. zod's synchronous validation
 * would start again at an asynchronous check, and abandon the promise of the first run: its rejection would end the
 * process. A value that is not valid is validated again, by zod alone, for the texts of its issues.
 */
function validatorOf(schema: AnyStandardSchema): Validate {
  if (!isZod4(schema) || typeof schema.safeParseAsync !== 'function') {
    return (value, options) => schema['~standard'].validate(value, options);
  }
  return (value) => {
    const context = isWide(value) ? AT_FIRST : undefined;
    return andThen(schema._zod.run({ value, issues: [] }, { ...context, async: true }), (first) => {
      if (first.issues.length === 0) return { value: first.value };
      return schema
        .safeParseAsync(value, context)
        .then(({ success, data, error }) => (success ? { value: data } : { issues: error.issues }));
    });
  };
}

/**
 * The maximum number of elements of a value whose validation reports all issues. For larger values it stops at the
 * first one.
 */
const WIDE = { depth: Number.POSITIVE_INFINITY, elements: 500 };

/** Stops zod (since 4.6) at the first issue. An issue takes 20 times as long as an element. */
const AT_FIRST = { abortEarly: true } as z.core.ParseContext<z.core.$ZodIssue>;

function isWide(value: unknown): boolean {
  return shapeOfValue(value, WIDE).elements > WIDE.elements;
}

type ToJsonSchema = StandardSchemaWithJSON['~standard']['jsonSchema'];

function jsonSchemaOf(schema: AnyStandardSchema): ToJsonSchema | undefined {
  // The schema implements both parts of the interface.
  const own = propertyOrInherited(schema['~standard'], 'jsonSchema') as ToJsonSchema | undefined;
  if (own || !isZod4(schema)) return own;
  // zod before 4.2, converted as the SDK does it.
  const convert = (io: 'input' | 'output') => () => z.toJSONSchema(schema, { target: TARGET, io });
  return { input: convert('input'), output: convert('output') } as ToJsonSchema;
}

function refuseWithoutJsonSchema(vendor: string, place: SchemaPlace): never {
  throw unusable(
    place,
    vendor === 'zod'
      ? ZOD_3
      : `is made with a version of "${vendor}" that cannot produce a JSON Schema (Standard JSON Schema). Use a newer one, or ${FROM_JSON_SCHEMA}.`,
  );
}

function unusable({ kind, name, option }: SchemaPlace, why: string, cause?: unknown): SessionError {
  return new SessionError('configuration', `The \`${option}\` of the ${kind} "${name}" ${why}`, { cause });
}

/** Some libraries' schemas are functions. */
function isStandardSchema(schema: unknown): schema is AnyStandardSchema {
  const standard = propertyOrInherited(schema, '~standard');
  return typeof propertyOrInherited(standard, 'validate') === 'function';
}

function isZod4(schema: unknown): schema is z.ZodType {
  return propertyOrInherited(schema, '_zod') !== undefined;
}

function isZod3(schema: unknown): boolean {
  return !isZod4(schema) && typeof propertyOf(propertyOrInherited(schema, '_def'), 'typeName') === 'string';
}

function propertyOrInherited(value: unknown, name: string): unknown {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject ? (value as Record<string, unknown>)[name] : undefined;
}

/** The maximum number of reported issues: a model cannot correct more at once. */
const MAX_ISSUES = 20;

/**
 * The same schema, limited to 20 reported issues and the number of the others. The SDK joins all issues into one text:
 * without the limit, the error for a table with only wrong cells would be 20 times as large as the table.
 */
export function limitIssues(schema: StandardSchemaWithJSON): StandardSchemaWithJSON {
  const inner = schema['~standard'];
  return {
    '~standard': {
      ...inner,
      validate: (value, options) =>
        andThen(inner.validate(value, options), (result) => {
          const { issues = [] } = result;
          if (issues.length <= MAX_ISSUES) return result;
          const message = `and ${issues.length - MAX_ISSUES} more`;
          return { issues: [...issues.slice(0, MAX_ISSUES), { message }] };
        }),
    },
  };
}
