import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { omitUndefined } from '../../omit-undefined.js';
import { SESSION_META_KEY } from '../request/session-argument.js';
import { type JsonSchema, outputJsonOf } from '../request/tool-schema.js';
import { propertyOf } from '../wire/json-rpc.js';

const NEXT = 'Pass this `session` in every further call of any tool.';

/** The added fields. They have no types, so that they do not constrain an author's properties of the same names. */
const FIELDS: JsonSchema = {
  session: {
    description:
      'The session handle, after a call that has logged the user in. Pass it as `session` in every further call.',
  },
  next: { description: 'What to do now, after a call that has logged the user in.' },
};
/** The added field if an author's results may have fields of these names. */
const NESTED_FIELDS: JsonSchema = {
  [SESSION_META_KEY]: { description: 'The session handle, and what to do with it.' },
};

/** The structured output of a tool whose call may log the user in. */
export interface SessionOutput {
  /** The output schema for `tools/list`; absent if the tool has none. */
  readonly schema: StandardSchemaWithJSON | undefined;
  /**
   * Adds the handle to structured content, because some hosts show a model nothing else. Returns `undefined` for
   * `undefined`: these hosts then show the text, which contains the handle, too.
   */
  withSession(structured: unknown, handle: string): unknown;
}

/** @param schema the output schema of a tool */
export function sessionOutputOf(schema: StandardSchemaWithJSON | undefined): SessionOutput {
  /** The tool's own structured content, by the extended one. */
  const originals = new WeakMap<object, unknown>();
  let extended: Extended | undefined;
  const extension = () => {
    extended ??= schema ? extend(outputJsonOf(schema)) : { fields: FIELDS };
    return extended;
  };
  const inner = schema?.['~standard'];
  return {
    schema: inner && {
      '~standard': {
        ...inner,
        validate: (value, options) => inner.validate(originalOf(originals, value), options),
        jsonSchema: {
          input: (options) => inner.jsonSchema.input(options),
          output: (options) =>
            extend(inner.jsonSchema.output(options)).schema ?? inner.jsonSchema.output(options),
        },
      },
    },
    withSession(structured, handle) {
      const { fields } = structured === undefined ? {} : extension();
      if (!fields) return structured;
      const added = addTo(structured, { session: handle, next: NEXT }, fields);
      originals.set(added, structured);
      return added;
    },
  };
}

function originalOf(originals: WeakMap<object, unknown>, value: unknown): unknown {
  return typeof value === 'object' && value !== null && originals.has(value) ? originals.get(value) : value;
}

function addTo(structured: unknown, note: Record<string, string>, fields: JsonSchema): JsonSchema {
  if (typeof structured !== 'object' || structured === null || Array.isArray(structured))
    return { result: structured, ...note };
  const isFree = fields === FIELDS && !Object.keys(note).some((name) => Object.hasOwn(structured, name));
  return { ...structured, ...(isFree ? note : { [SESSION_META_KEY]: note }) };
}

interface Extended {
  /** Absent if the schema is not changed. */
  readonly schema?: JsonSchema;
  /** Absent if no field can be added to results: only text and `_meta` contain the handle then. */
  readonly fields?: JsonSchema;
}

/** Extends a schema so that it allows the fields of the handle wherever it refuses unknown properties. */
function extend(json: JsonSchema): Extended {
  // The schema library may share the object, and add values that are not JSON.
  const schema = JSON.parse(JSON.stringify(json)) as JsonSchema;
  const parts = partsOf(schema);
  if (!parts) return {};
  const isAmbiguous = parts.some((part) => mayHaveFieldsOfOurNames(part));
  const fields = isAmbiguous ? NESTED_FIELDS : FIELDS;
  if (parts.some((part) => refusesByPattern(part, fields))) return {};
  for (const part of parts) admit(part, fields);
  if (!isObject(schema, schema)) return { schema: orWrapped(schema), fields };
  schema.properties = { ...asSchema(schema.properties), ...fields };
  return { schema, fields };
}

/**
 * The subschemas that apply to the value as a whole: the schema itself, its branches, and the schemas that these refer
 * to. `undefined` if a reference cannot be resolved.
 */
function partsOf(root: JsonSchema): JsonSchema[] | undefined {
  const parts = new Set<JsonSchema>();
  const waiting: unknown[] = [root];
  while (waiting.length > 0) {
    const part = waiting.pop();
    if (typeof part !== 'object' || part === null || parts.has(part as JsonSchema)) continue;
    // An object at this place of a JSON Schema is a schema.
    const schema = part as JsonSchema;
    parts.add(schema);
    for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
      const branches = schema[keyword];
      if (Array.isArray(branches)) waiting.push(...branches);
    }
    waiting.push(schema.if, schema.then, schema.else);
    if (schema.$ref === undefined) continue;
    const referred = referredBy(schema.$ref, root);
    if (referred === undefined) return undefined;
    waiting.push(referred);
  }
  return [...parts];
}

function referredBy(ref: unknown, root: JsonSchema): unknown {
  if (ref === '#') return root;
  const [, keyword = '', name = ''] = /^#\/(\$defs|definitions)\/([^/~%]+)$/.exec(String(ref)) ?? [];
  return propertyOf(root[keyword], name);
}

function mayHaveFieldsOfOurNames({
  properties,
  patternProperties,
  additionalProperties,
}: JsonSchema): boolean {
  return (
    patternProperties !== undefined ||
    isRestriction(additionalProperties) ||
    Object.keys(FIELDS).some((name) => propertyOf(properties, name) !== undefined)
  );
}

/** Whether a keyword constrains the values of other properties, and does not only allow or refuse them. */
function isRestriction(other: unknown): boolean {
  return typeof other === 'object' && other !== null && Object.keys(other).length > 0;
}

function refusesByPattern({ patternProperties }: JsonSchema, fields: JsonSchema): boolean {
  return Object.keys(asSchema(patternProperties)).some((pattern) =>
    Object.keys(fields).some((name) => new RegExp(pattern, 'u').test(name)),
  );
}

function admit(part: JsonSchema, fields: JsonSchema): void {
  const names = Object.keys(fields);
  const { additionalProperties, unevaluatedProperties, propertyNames, maxProperties } = part;
  const isOpen = (other: unknown) => other === undefined || other === true;
  if (!isOpen(additionalProperties) || !isOpen(unevaluatedProperties))
    part.properties = { ...asSchema(part.properties), ...fields };
  if (propertyNames !== undefined) part.propertyNames = { anyOf: [propertyNames, { enum: names }] };
  if (typeof maxProperties === 'number') part.maxProperties = maxProperties + names.length;
}

/** Allows an object around results that are not objects: the result that contains the handle is wrapped. */
function orWrapped({ $schema, $defs, definitions, ...natural }: JsonSchema): JsonSchema {
  const result = { description: 'The result of the call.' };
  const wrapped = { type: 'object', properties: { result, ...FIELDS }, required: ['result', 'session'] };
  const shared = { $schema, $defs, definitions };
  return {
    ...omitUndefined(shared),
    anyOf: [natural, wrapped],
  };
}

/** Whether a schema allows only objects, as far as its top-level keywords show. */
function isObject(schema: JsonSchema, root: JsonSchema, depth = 0): boolean {
  if (depth > 8) return false;
  if (schema.type !== undefined) return schema.type === 'object';
  const referred = schema.$ref === undefined ? undefined : referredBy(schema.$ref, root);
  if (referred !== undefined && isObject(asSchema(referred), root, depth + 1)) return true;
  if ('properties' in schema || 'additionalProperties' in schema || 'required' in schema) return true;
  return ['anyOf', 'oneOf', 'allOf'].some((keyword) => {
    const branches = schema[keyword];
    return (
      Array.isArray(branches) &&
      branches.length > 0 &&
      branches.every((branch) => isObject(asSchema(branch), root, depth + 1))
    );
  });
}

function asSchema(value: unknown): JsonSchema {
  return typeof value === 'object' && value !== null ? (value as JsonSchema) : {};
}
