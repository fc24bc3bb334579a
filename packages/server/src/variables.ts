import { z } from 'zod';
import { configurationError } from './configuration-error.js';

/** What the names of all variables of this server begin with. */
export const PREFIX = 'MCP_SESSIONS_';

/** The text of a variable that is written in JSON. */
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

/** Those variables of a schema that are set, by their names without the prefix. Empty ones count as not set. */
export function givenVariables(environment: NodeJS.ProcessEnv, schema: z.ZodObject): Record<string, string> {
  return Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => {
      const value = environment[PREFIX + name]?.trim();
      return value ? [[name, value]] : [];
    }),
  );
}

/** @throws ConfigurationError that names the first variable whose value is wrong */
export function checkVariables<S extends z.ZodObject>(
  schema: S,
  given: Readonly<Record<string, string>>,
): z.output<S> {
  const { data, error } = schema.safeParse(given);
  if (error) throw configurationError(error, (name) => PREFIX + name);
  return data;
}
