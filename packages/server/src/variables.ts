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

/** The variables of a schema that are set, by their names without the prefix. Empty variables count as not set. */
export function givenVariables(environment: NodeJS.ProcessEnv, schema: z.ZodObject): Record<string, string> {
  return Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => {
      const value = environment[PREFIX + name]?.trim();
      return value ? [[name, value]] : [];
    }),
  );
}

/** @throws ConfigurationError that names the first variable with an invalid value */
export function checkVariables<S extends z.ZodObject>(
  schema: S,
  given: Readonly<Record<string, string>>,
): z.output<S> {
  const { data, error } = schema.safeParse(given);
  if (error) throw configurationError(error, (name) => PREFIX + name);
  return data;
}
