import { z } from 'zod';
import { ConfigurationError } from '../configuration-error.js';
import { nearestName } from './nearest-name.js';
import { ANY_PROVIDER, SETTINGS, type Setting } from './setting-list.js';
import { checked, type Given, nameOf, type Origin } from './source.js';

/** The prefix of all variables of this server. */
export const PREFIX = 'MCP_SESSIONS_';

/** The variable that names the configuration file. */
export const CONFIG_VARIABLE: string = `${PREFIX}CONFIG`;

/** A setting that has a variable. */
const VARIABLES: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.flatMap((setting) => (setting.info.variable ? [[PREFIX + setting.info.variable, setting]] : [])),
);

/**
 * What Kubernetes sets in every container for a service whose name begins with `mcp-sessions`:
 * `MCP_SESSIONS_SERVICE_HOST`, `MCP_SESSIONS_PORT_3000_TCP_ADDR`.
 */
const OF_KUBERNETES =
  /^MCP_SESSIONS_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/**
 * Reads the settings from the `MCP_SESSIONS_` variables. Empty variables count as not set.
 * @param others variables that the configuration file names, for secrets
 * @throws ConfigurationError that names the variable, also for an unknown one
 */
export function readEnvironment(environment: NodeJS.ProcessEnv, others: readonly string[]): Given[] {
  const names = Object.keys(environment).filter((name) => name.startsWith(PREFIX));
  const unknown = names.find(
    (name) =>
      !VARIABLES.has(name) && !others.includes(name) && name !== CONFIG_VARIABLE && !OF_KUBERNETES.test(name),
  );
  if (unknown !== undefined) throw unknownVariable(unknown);
  return [...VARIABLES].flatMap(([name, setting]) => {
    const text = environment[name]?.trim();
    return text ? givenBy(name, setting, text) : [];
  });
}

function unknownVariable(name: string): ConfigurationError {
  const known = [...VARIABLES.keys(), CONFIG_VARIABLE].map((each) => each.slice(PREFIX.length));
  const nearest = nearestName(name.slice(PREFIX.length), known);
  const meant = nearest === undefined ? '' : `Did you mean ${PREFIX}${nearest}? `;
  const hint = `${meant}Unset it, or run with --help to see all variables.`;
  return new ConfigurationError(`${name} is not a variable of this server. ${hint}`);
}

function givenBy(name: string, setting: Setting, text: string): Given[] {
  const path = setting.path.map((key) => (key === ANY_PROVIDER ? '0' : key));
  const origin: Origin = { kind: 'variable', name, path };
  const content = setting.isSection ? jsonOf(name, text) : valueIn(setting, text, name);
  const value = checked(setting.schema, content, (at) => nameOf(origin, [...path, ...at]));
  if (!setting.isSection) return [{ path, value, origin }];
  return Object.entries(value as object).map(([key, each]) => ({
    path: [...path, key],
    value: each,
    origin,
  }));
}

/** The value that a text of a variable or a flag stands for. What does not fit is left for the schema. */
export function valueIn({ schema, info }: Setting, text: string, name: string): unknown {
  const inner = schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  if (inner instanceof z.ZodNumber) return /^\d+$/.test(text) ? Number(text) : text;
  if (inner instanceof z.ZodBoolean) return text === 'true' || (text === 'false' ? false : text);
  if (inner instanceof z.ZodArray) {
    const words = text.split(info.separator ?? /[\s,]+/).map((word) => word.trim());
    return words.filter(Boolean);
  }
  return inner instanceof z.ZodObject || inner instanceof z.ZodRecord ? jsonOf(name, text) : text;
}

function jsonOf(name: string, text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The message of the cause would quote a secret.
    throw new ConfigurationError(`${name} is not JSON. Run with --help to see all settings.`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new ConfigurationError(`${name} must be a JSON object. Run with --help to see all settings.`);
}
