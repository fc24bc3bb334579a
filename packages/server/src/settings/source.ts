import { z } from 'zod';
import { ConfigurationError } from '../configuration-error.js';
import { nearestName } from './nearest-name.js';
import { type SettingPath, written } from './setting-list.js';

/** Where a value comes from. */
export type Origin =
  | { readonly kind: 'file'; readonly file: string; readonly line: number | undefined }
  /** `path`: that of the setting that the variable or the flag sets, which may be a section. */
  | { readonly kind: 'variable' | 'flag'; readonly name: string; readonly path: SettingPath };

/** The value of one setting. */
export interface Given {
  readonly path: SettingPath;
  readonly value: unknown;
  readonly origin: Origin;
}

/** An origin as messages write it. */
export function placeOf(origin: Origin): string {
  if (origin.kind !== 'file') return origin.name;
  return origin.line === undefined ? origin.file : `${origin.file}:${origin.line}`;
}

/** How messages name a value, or a part of it: `--port`, `MCP_SESSIONS_LIMITS: connections`, `a.yaml:3: listen.port`. */
export function nameOf(origin: Origin, path: SettingPath): string {
  if (origin.kind === 'file') return [`${placeOf(origin)}:`, written(path)].filter(Boolean).join(' ');
  return [origin.name, ...path.slice(origin.path.length)].join(': ');
}

/**
 * Checks a value.
 * @param nameAt names what is wrong, by its path in the value
 * @param nextStep what to do about a wrong value
 * @throws ConfigurationError
 */
export function checked<S extends z.ZodType>(
  schema: S,
  value: unknown,
  nameAt: (path: SettingPath) => string,
  nextStep = 'Run with --help to see all settings.',
): z.output<S> {
  const { data, error } = schema.safeParse(value, { error: inWords });
  if (!error) return data;
  const unknown = error.issues.find(({ code }) => code === 'unrecognized_keys');
  const issue = unknown ?? error.issues[0];
  const path = (issue?.path ?? []).map(String);
  if (issue?.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    throw new ConfigurationError(`${nameAt([...path, key])} ${issue.message}`, { cause: error });
  }
  throw new ConfigurationError(`${nameAt(path)} ${issue?.message}. ${nextStep}`, { cause: error });
}

/** What the schemas do not say themselves. No message contains a value, which may be a secret. */
function inWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : [];
      return `is not a setting. ${suggestion(issue.keys[0] ?? '', known)}`;
    }
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing';
      return `must be ${TYPES[issue.expected] ?? issue.expected}`;
    default:
      return undefined;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  object: 'a group of settings',
  array: 'a list',
  string: 'text',
  record: 'a group of texts',
};

/** What to write instead of a mistaken name. */
function suggestion(mistaken: string, known: readonly string[]): string {
  const nearest = nearestName(mistaken, known);
  return nearest === undefined ? `The settings here are ${known.join(', ')}.` : `Did you mean ${nearest}?`;
}
