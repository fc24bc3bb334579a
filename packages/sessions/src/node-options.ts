import { readFileSync } from 'node:fs';

/** Where Node takes its own options from. */
export interface NodeOptionSources {
  /** What stood before the script on the command line: `process.execArgv`. */
  readonly execArgv: readonly string[];
  /** `NODE_OPTIONS`, which `--env-file` sets, too. */
  readonly nodeOptions: string;
}

/** Stands for whatever a configuration file may have set that cannot be read any more. */
const UNREADABLE_CONFIG_FILE = '--unreadable-config-file';
const CONFIG_FILE = /^--?(?:experimental-)?(?:default-)?config-file$/;
const DEFAULT_CONFIG_FILE = 'node.config.json';

/** Every option that Node was started with, with `-` for `_`, and its value behind `=` if it was given so. */
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

/** Splits `NODE_OPTIONS` as Node does: at spaces outside of double quotes, in which a backslash escapes. */
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

/** Node takes `--heap_prof` for `--heap-prof`. What follows `=` is a value. */
function withDashes(option: string): string {
  if (!option.startsWith('-')) return option;
  const [name = ''] = option.split('=', 1);
  return name.replaceAll('_', '-') + option.slice(name.length);
}

/** The options in a configuration file of Node's: `{ "nodeOptions": { "inspect": true } }`. */
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
