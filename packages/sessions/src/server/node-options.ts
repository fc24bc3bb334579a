import { readFileSync } from 'node:fs';

/** The sources of Node's own options. */
export interface NodeOptionSources {
  /** The options before the script on the command line: `process.execArgv`. */
  readonly execArgv: readonly string[];
  /** `NODE_OPTIONS`, which `--env-file` sets, too. */
  readonly nodeOptions: string;
}

/** Replaces the unknown options of a configuration file that cannot be read. */
const UNREADABLE_CONFIG_FILE = '--unreadable-config-file';
const CONFIG_FILE = /^--?(?:experimental-)?(?:default-)?config-file$/;
const DEFAULT_CONFIG_FILE = 'node.config.json';

/**
 * Every option that Node was started with, with `-` in place of `_`, and `=` with the value if it was given that way.
 */
export function givenNodeOptions({ execArgv, nodeOptions }: NodeOptionSources): string[] {
  const given = [...execArgv, ...splitNodeOptions(nodeOptions)].map(withDashes);
  const files = given.flatMap((option, index) => {
    const [name = '', value] = option.split('=', 2);
    if (!CONFIG_FILE.test(name)) return [];
    if (value) return [value];
    const next = given[index + 1];
    return [name.includes('default') || !next || next.startsWith('-') ? DEFAULT_CONFIG_FILE : next];
  });
  return [...given.filter((option) => option.startsWith('-')), ...files.flatMap(configuredOptions)];
}

/** Splits `NODE_OPTIONS` as Node does: at spaces that are not in double quotes, where a backslash escapes. */
export function splitNodeOptions(text: string): string[] {
  const options: string[] = [];
  let isQuoted = false;
  let current: string | undefined;
  for (let index = 0; index < text.length; index++) {
    let character = text.charAt(index);
    if (character === '\\' && isQuoted) {
      character = text.charAt(++index);
    } else if (character === '"') {
      isQuoted = !isQuoted;
      continue;
    } else if (character === ' ' && !isQuoted) {
      if (current !== undefined) options.push(current);
      current = undefined;
      continue;
    }
    current = (current ?? '') + character;
  }
  return current === undefined ? options : [...options, current];
}

/**
 * Replaces `_` by `-` in the name of an option: Node treats `--heap_prof` as `--heap-prof`. The value after `=` stays.
 */
function withDashes(option: string): string {
  if (!option.startsWith('-')) return option;
  const [name = ''] = option.split('=', 1);
  return name.replaceAll('_', '-') + option.slice(name.length);
}

/** The options in a configuration file of Node: `{ "nodeOptions": { "inspect": true } }`. */
function configuredOptions(path: string): string[] {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const { nodeOptions } = parsed as { nodeOptions?: Readonly<Record<string, unknown>> };
    return Object.entries(nodeOptions ?? {})
      .filter(([, value]) => value !== false)
      .map(([name, value]) => withDashes(`--${name}`) + (value === true ? '' : `=${String(value)}`));
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return isMissing ? [] : [UNREADABLE_CONFIG_FILE];
  }
}
