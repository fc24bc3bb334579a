import { z } from 'zod';
import { configurationError } from './configuration-error.js';

/** The prefix of all variables of this server. */
export const PREFIX = 'MCP_SESSIONS_';

/** A variable whose value is JSON. */
export const json: z.ZodPipe<z.ZodString, z.ZodTransform<unknown, string>> = z
  .string()
  .transform((value, context): unknown => {
    try {
      return JSON.parse(value);
    } catch {
      context.addIssue('is not JSON');
      return z.NEVER;
    }
  });

/** A variable with several values, separated by spaces or commas. */
export const words: z.ZodPipe<z.ZodString, z.ZodTransform<string[], string>> = z
  .string()
  .transform((value) => value.split(/[\s,]+/).filter(Boolean));

const prefixed = (name: string): string => PREFIX + name;

/**
 * The variables of a schema that are set, by their names in the schema. Empty variables count as not set.
 *
 * @param variableOf the variable of a name. Default: the prefix and the name
 */
export function givenVariables(
  environment: NodeJS.ProcessEnv,
  schema: z.ZodObject,
  variableOf: (name: string) => string = prefixed,
): Record<string, string> {
  return Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => {
      const value = environment[variableOf(name)]?.trim();
      return value ? [[name, value]] : [];
    }),
  );
}

/** @throws ConfigurationError that names the first variable with an invalid value */
export function checkVariables<S extends z.ZodObject>(
  schema: S,
  given: Readonly<Record<string, string>>,
  variableOf: (name: string) => string = prefixed,
): z.output<S> {
  const { data, error } = schema.safeParse(given);
  if (error) throw configurationError(error, variableOf);
  return data;
}
