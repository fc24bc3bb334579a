import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { SessionError } from '../../errors.js';
import { methodOf, propertyOf } from '../wire/json-rpc.js';
import type { JsonSchema } from './tool-schema.js';

/** The tool argument that names a session in the 2026 era. */
const SESSION_ARGUMENT = 'session';

/** The key in `_meta` for hosts that do not show the handle to their model. */
export const SESSION_META_KEY = 'dev.mcp-sessions/session';

const ARGUMENT_SCHEMA = {
  type: 'string',
  description:
    'The session handle that `login` returned. Pass it in every call once you have one; leave it out before.',
};

/** The handle in a request: none, a handle, or an invalid value. */
export type HandleInRequest =
  | { readonly kind: 'none' }
  | { readonly kind: 'handle'; readonly value: string }
  | { readonly kind: 'invalid' };

/** Reads the handle from the arguments of a tool call or from `_meta`. If both have one, they must be equal. */
export function handleOf(body: unknown): HandleInRequest {
  const params = propertyOf(body, 'params');
  const isToolCall = methodOf(body) === 'tools/call';
  const argument = isToolCall ? propertyOf(propertyOf(params, 'arguments'), SESSION_ARGUMENT) : undefined;
  const meta = propertyOf(propertyOf(params, '_meta'), SESSION_META_KEY);
  const value = argument === undefined ? meta : argument;
  if (value === undefined) return { kind: 'none' };
  const isOne = argument === undefined || meta === undefined || new Set([argument, meta]).size === 1;
  return typeof value === 'string' && isOne ? { kind: 'handle', value } : { kind: 'invalid' };
}

/** The tool that a request calls. Both are `undefined` for other requests. */
export interface CalledTool {
  readonly toolName: string | undefined;
  /** As the client sent them, including the session argument. */
  readonly toolArguments: unknown;
}

/** Reads which tool a request calls. */
export function calledToolOf(body: unknown): CalledTool {
  if (methodOf(body) !== 'tools/call') return { toolName: undefined, toolArguments: undefined };
  const params = propertyOf(body, 'params');
  const name = propertyOf(params, 'name');
  return {
    toolName: typeof name === 'string' ? name : undefined,
    toolArguments: propertyOf(params, 'arguments'),
  };
}

/**
 * An input schema with the session argument added. The argument is removed before the schema validates, so the tool
 * does not get it. Works for any Standard Schema.
 */
export function withSessionArgument(schema: StandardSchemaWithJSON): StandardSchemaWithJSON {
  const inner = schema['~standard'];
  return {
    '~standard': {
      ...inner,
      validate: (value, options) => inner.validate(withoutSessionArgument(value), options),
      jsonSchema: {
        input: (options) => addArgument(inner.jsonSchema.input(options)),
        output: (options) => inner.jsonSchema.output(options),
      },
    },
  };
}

/** @throws SessionError `configuration` if the tool has an argument of this name itself */
export function assertArgumentFree(toolName: string, schema: StandardSchemaWithJSON): void {
  const json = schema['~standard'].jsonSchema.input({ target: 'draft-2020-12' });
  if (!declares(json)) return;
  throw new SessionError(
    'configuration',
    `The tool "${toolName}" has an argument called "${SESSION_ARGUMENT}", which names the session. Rename it.`,
  );
}

function addArgument(json: JsonSchema): JsonSchema {
  const widened: JsonSchema = { ...json };
  for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
    const branches = json[keyword];
    if (Array.isArray(branches))
      widened[keyword] = branches.map((branch) => (isClosed(branch) ? addArgument(branch) : branch));
  }
  return { ...widened, properties: { ...asObject(json.properties), [SESSION_ARGUMENT]: ARGUMENT_SCHEMA } };
}

/** Whether a branch refuses properties that it does not name. */
function isClosed(branch: unknown): branch is JsonSchema {
  return propertyOf(branch, 'additionalProperties') === false;
}

function declares(json: unknown): boolean {
  if (propertyOf(propertyOf(json, 'properties'), SESSION_ARGUMENT) !== undefined) return true;
  return ['anyOf', 'oneOf', 'allOf'].some((keyword) => {
    const branches = propertyOf(json, keyword);
    return Array.isArray(branches) && branches.some(declares);
  });
}

/** The arguments of a call without the one that names its session. */
export function withoutSessionArgument(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { [SESSION_ARGUMENT]: _handle, ...rest } = value as JsonSchema;
  return rest;
}

function asObject(value: unknown): JsonSchema {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
