import { z } from 'zod';
import { SessionError } from './errors.js';

/** A scope token (RFC 6749 section 3.3). */
export const SCOPE_TOKEN: RegExp = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** zod compiles the schemas of objects, which costs more than it saves for options that are validated once. */
const ONCE = { jitless: true } as const;

/**
 * Validates options and fills in the defaults of their schema.
 * @param subject what is invalid, at the start of the error message
 * @throws SessionError `configuration`, naming each invalid option, and for an unknown one the most similar option
 */
export function parseOptions<S extends z.ZodType>(schema: S, options: unknown, subject: string): z.output<S> {
  const { data, error } = schema.safeParse(options, { error: unknownOption, ...ONCE });
  if (!error) return data;
  throw new SessionError('configuration', `${subject}: ${z.prettifyError(error)}`, { cause: error });
}

function unknownOption(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'unrecognized_keys' || !(issue.inst instanceof z.ZodObject)) return undefined;
  const known = Object.keys(issue.inst.shape);
  const hints = issue.keys.map((name) => {
    const similar = mostSimilar(name, known);
    const hint = similar ? `did you mean \`${similar}\`?` : `the options are ${known.join(', ')}`;
    return `unknown option \`${name}\`; ${hint}`;
  });
  return hints.join('\n✖ ');
}

/** The share of an option's name that may differ from a name that it is suggested for. */
const MAX_DIFFERENCE = 0.4;

function mostSimilar(name: string, known: readonly string[]): string | undefined {
  const distances = known.map((option) => ({ option, distance: editDistance(name, option) }));
  const [nearest] = distances.sort((one, other) => one.distance - other.distance);
  return nearest && nearest.distance <= MAX_DIFFERENCE * nearest.option.length ? nearest.option : undefined;
}

/** The number of characters to insert, delete or replace (Levenshtein distance), regardless of case. */
function editDistance(from: string, to: string): number {
  const target = to.toLowerCase();
  let row = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (const character of from.toLowerCase()) {
    const next = [(row[0] ?? 0) + 1];
    for (let index = 1; index <= target.length; index++) {
      const replaced = (row[index - 1] ?? 0) + (target[index - 1] === character ? 0 : 1);
      next.push(Math.min(replaced, (row[index] ?? 0) + 1, (next[index - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[target.length] ?? 0;
}
