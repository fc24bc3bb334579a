import { PREFIX } from './settings/environment.js';
import { COMMAND_FLAGS, isToggle } from './settings/flags.js';
import { SETTINGS, type Setting } from './settings/setting-list.js';
import { valuesOf } from './settings/settings-table.js';
import { wrapped } from './wrapped.js';

const COLUMNS = 110;
const FLAG_WIDTH = 33;
const VARIABLE_WIDTH = 37;

/** The text of `--help`. */
export const USAGE: string = `Usage: mcp-sessions-server [options]
       mcp-sessions-server init [options]
       mcp-sessions-server check [--json] [options]
       mcp-sessions-server config print [options]
       mcp-sessions-server keygen

Serves MCP. Every client that connects logs in as its own user. Without a provider, it starts a demo with an
identity provider that accepts any name and password.

  init          asks which provider, which public URL and which clients, and writes a configuration file;
                init --help lists its options
  check         contacts your providers without a user, prints what is right and what to change, and exits
                with 0, 1 (a check failed) or 2 (wrong settings)
  config print  prints the settings that apply and where each comes from, without secrets
  keygen        prints a new master key, for several servers with the same sessions (docs/cluster.md)

A configuration file has every setting. Variables replace its settings, and flags those of both.

Flags:

${flagLines().join('\n')}

Variables of the server:

${variableLines((setting) => !['providers', 'access', 'cluster'].includes(setting.path[0] ?? '')).join('\n')}

Variables of several servers with the same sessions (docs/cluster.md):

${variableLines((setting) => setting.path[0] === 'cluster').join('\n')}

Variables of a real provider (--tools is required then). Several providers need a configuration file:

${variableLines((setting) => setting.path[0] === 'providers').join('\n')}

Variables for the access tokens of clients, with --access bearer:

${variableLines((setting) => setting.path[0] === 'access').join('\n')}
`;

function flagLines(): string[] {
  const flags = SETTINGS.filter(({ info }) => info.flag !== undefined);
  return [
    ...Object.entries(COMMAND_FLAGS).map(([flag, text]) =>
      row(`--${flag}${flag === 'config' ? ' <file>' : ''}`, text.replaceAll('`', ''), FLAG_WIDTH),
    ),
    ...flags.map((setting) =>
      row(`--${setting.info.flag}${placeholderOf(setting)}`, textOf(setting), FLAG_WIDTH),
    ),
  ];
}

function placeholderOf(setting: Setting): string {
  if (isToggle(setting)) return '';
  return ` <${setting.info.placeholder ?? (valuesOf(setting)?.join('|') || 'n')}>`;
}

function variableLines(isIn: (setting: Setting) => boolean): string[] {
  return SETTINGS.filter((setting) => setting.info.variable !== undefined && isIn(setting)).map((setting) => {
    const { flag, flagSets, variable } = setting.info;
    const isAsFlag = flag !== undefined && flagSets === undefined;
    return row(`${PREFIX}${variable}`, isAsFlag ? `as --${flag}` : textOf(setting), VARIABLE_WIDTH);
  });
}

function textOf({ info }: Setting): string {
  const value =
    info.default === undefined || info.default === false ? info.defaultText : String(info.default);
  return (value === undefined ? info.description : `${info.description} (${value})`).replaceAll('`', '');
}

/** A name and its text beside it, or below it if the name is too long. */
function row(name: string, text: string, width: number): string {
  const indent = ' '.repeat(width);
  const start = `  ${name}`;
  const lines = wrapped(start.length < width ? start.padEnd(width) : indent, text, indent, COLUMNS);
  return [...(start.length < width ? [] : [start]), ...lines].join('\n');
}
