import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ConfigurationError } from '../configuration-error.js';
import { valueIn } from './environment.js';
import { nearestName } from './nearest-name.js';
import { SETTINGS, type Setting } from './setting-list.js';
import { checked, type Given } from './source.js';

/** The flags that are no settings. */
export interface CommandFlags {
  readonly stdio: boolean;
  readonly demo: boolean;
  readonly config: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

/** What `--help` and the documentation say about the flags that are no settings. */
export const COMMAND_FLAGS: Readonly<Record<keyof CommandFlags, string>> = {
  config: 'a file with settings, in YAML or JSON. Also the variable `MCP_SESSIONS_CONFIG`',
  demo: 'start the embedded identity provider and notes API, which is what happens without any provider',
  stdio:
    'serve the client that starts this process, over stdin and stdout. Every process has its own session',
  json: 'print the addresses as one line of JSON on stdout when the server is ready; with check: the reports',
  help: 'print the flags and variables, and exit',
  version: 'print the version, and exit',
};

const SETTING_FLAGS: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.flatMap((setting) => (setting.info.flag ? [[setting.info.flag, setting]] : [])),
);

/** Whether a flag takes no value. */
export function isToggle({ schema }: Setting): boolean {
  return schema instanceof z.ZodOptional && schema.unwrap() instanceof z.ZodBoolean;
}

/**
 * Reads the command line.
 *
 * @param argv the arguments after the program's name and the command
 * @throws ConfigurationError for unknown flags and wrong values
 */
export function readFlags(argv: readonly string[]): { command: CommandFlags; given: Given[] } {
  const { config, stdio, demo, json, help, version, ...others } = splitArguments(argv);
  const toggles = { stdio, demo, json, help, version };
  const command = Object.fromEntries(Object.entries(toggles).map(([name, value]) => [name, value === true]));
  return {
    // `parseArgs` gives text to these flags only.
    command: { ...command, config } as unknown as CommandFlags,
    given: Object.entries(others).flatMap(([flag, value]) => {
      const setting = SETTING_FLAGS.get(flag);
      return setting && value !== undefined ? [givenBy(flag, setting, value)] : [];
    }),
  };
}

function givenBy(flag: string, setting: Setting, text: string | boolean): Given {
  const name = `--${flag}`;
  const { path, info } = setting;
  const value = typeof text === 'string' ? valueIn(setting, text, name) : (info.flagSets ?? true);
  const origin = { kind: 'flag', name, path } as const;
  return { path, value: checked(setting.schema, value, () => name), origin };
}

function splitArguments(argv: readonly string[]): Record<string, string | boolean | undefined> {
  const typeOf = (isText: boolean) => ({ type: isText ? ('string' as const) : ('boolean' as const) });
  const options = Object.fromEntries([
    ...Object.keys(COMMAND_FLAGS).map((flag) => [flag, typeOf(flag === 'config')] as const),
    ...[...SETTING_FLAGS].map(([flag, setting]) => [flag, typeOf(!isToggle(setting))] as const),
  ]);
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (cause) {
    throw wrongArguments(cause);
  }
}

/** The error of `parseArgs` as one line with the next step. Other errors are returned as they are. */
function wrongArguments(cause: unknown): unknown {
  if (!(cause instanceof TypeError)) return cause;
  // The rest of Node's message explains positional arguments, which this program does not have.
  const [what = ''] = cause.message.split(/[.]? To specify|[.] This command|\n/);
  const unknown = /^Unknown option '--(.*)'$/.exec(what)?.[1];
  const nearest =
    unknown === undefined
      ? undefined
      : nearestName(unknown, [...Object.keys(COMMAND_FLAGS), ...SETTING_FLAGS.keys()]);
  const meant = nearest === undefined ? '' : ` Did you mean --${nearest}?`;
  const hint = /^Unexpected argument '(check|config|init)'$/.test(what)
    ? 'Write it before the flags'
    : 'Run with --help to see all settings';
  return new ConfigurationError(`${what}.${meant} ${hint}.`, { cause });
}
