import { type Configuration, configurationOf } from './configuration.js';
import { ConfigurationError } from './configuration-error.js';
import type { SettingNames } from './setting-names.js';
import { type EffectiveSettings, readSettings } from './settings/effective-settings.js';
import { addressOf } from './transport.js';
import type { OperatorProviders } from './upstream.js';

/** The command that the arguments name. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'keygen' }
  | { readonly kind: 'check'; readonly configuration: CheckConfiguration }
  | { readonly kind: 'print'; readonly effective: EffectiveSettings }
  | { readonly kind: 'serve'; readonly configuration: Configuration };

/** What `check` needs. */
export interface CheckConfiguration extends OperatorProviders {
  readonly publicUrl: string;
  /** Whether to print the reports as JSON. */
  readonly isJson: boolean;
  readonly names: SettingNames;
  readonly nameOf: Configuration['nameOf'];
  readonly cluster: Configuration['cluster'];
}

/** The command that prints a new master key. */
const KEYGEN = 'keygen';

/** The command that checks the providers. */
export const CHECK = 'check';

/**
 * Reads the command line, the environment and the configuration file.
 *
 * @param argv the arguments after the program's name
 * @throws ConfigurationError
 */
export function parseCommand(argv: readonly string[], environment: NodeJS.ProcessEnv): Command {
  const [first, ...rest] = argv;
  if (first === KEYGEN) return { kind: 'keygen' };
  if (first === 'config') return printCommand(rest, environment);
  const effective = readSettings(first === CHECK ? rest : argv, environment);
  const { help, version } = effective.command;
  if (help) return { kind: 'help' };
  if (version) return { kind: 'version' };
  if (first === CHECK) return { kind: 'check', configuration: checkOf(effective, environment) };
  return { kind: 'serve', configuration: configurationOf(effective, environment) };
}

function printCommand([what, ...argv]: readonly string[], environment: NodeJS.ProcessEnv): Command {
  if (what === '--help') return { kind: 'help' };
  if (what !== 'print') {
    throw new ConfigurationError('config has one command. Write: mcp-sessions-server config print');
  }
  const effective = readSettings(argv, environment);
  return effective.command.help ? { kind: 'help' } : { kind: 'print', effective };
}

/** The configuration of a server with these settings, without its tools. */
function checkOf(effective: EffectiveSettings, environment: NodeJS.ProcessEnv): CheckConfiguration {
  const { settings, command } = effective;
  const { upstream, transport, names, nameOf, cluster } = configurationOf(
    // The tools are not loaded, and stdout is free.
    { ...effective, settings: { tools: CHECK, ...settings }, command: { ...command, json: false } },
    environment,
  );
  if (upstream.kind === 'sample') {
    throw new ConfigurationError(
      'There is no provider to check. Set MCP_SESSIONS_ISSUER, or MCP_SESSIONS_PROVIDER for a provider with a preset.',
    );
  }
  const { publicUrl = addressOf(transport), ...rest } = upstream;
  return { ...rest, publicUrl, isJson: command.json, names, nameOf, cluster };
}
