import type { Lifetimes } from 'mcp-sessions';
import { ConfigurationError } from './configuration-error.js';
import { type OperatorProvider, parseEnvironment } from './environment.js';
import { type LogLevel, parseFlags } from './flags.js';

/** What the process was asked to do. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'serve'; readonly configuration: Configuration };

/** Everything the operator decided, parsed once. */
export interface Configuration {
  /** Port of the MCP server; `0` for any free one. Default: 3000. */
  readonly port: number;
  /** Whether one line of addresses goes to stdout. */
  readonly isJson: boolean;
  /** Start although the process is open to a debugger. */
  readonly allowDebugging: boolean;
  readonly logLevel: LogLevel;
  /** What is absent keeps the library's default. */
  readonly lifetimes: Partial<Lifetimes>;
  /** Path of a module that registers tools, relative to the working directory. */
  readonly toolsModule: string | undefined;
  /** Whose tokens the sessions hold: the operator's provider, or the embedded one. */
  readonly upstream: SampleUpstream | OperatorUpstream;
}

/** The embedded identity provider and notes API. */
export interface SampleUpstream {
  readonly kind: 'sample';
  /** Default: 3001. */
  readonly identityProviderPort: number;
  /** Default: 3002. */
  readonly apiPort: number;
  /** Lifetime of the access tokens. Default: 120. */
  readonly accessTokenSeconds: number;
}

/** A real provider, described by the environment. */
export interface OperatorUpstream extends OperatorProvider {
  readonly kind: 'operator';
  readonly toolsModule: string;
}

/**
 * Reads the command line and the environment.
 *
 * @param argv the arguments after the program's name
 * @throws ConfigurationError
 */
export function parseCommand(argv: readonly string[], environment: NodeJS.ProcessEnv): Command {
  const flags = parseFlags(argv);
  if (flags.help) return { kind: 'help' };
  if (flags.version) return { kind: 'version' };
  const { graceSeconds, idleSeconds, absoluteSeconds } = flags;
  return {
    kind: 'serve',
    configuration: {
      port: flags.port,
      isJson: flags.json,
      allowDebugging: flags.allowDebugging,
      logLevel: flags.logLevel,
      lifetimes: {
        ...(idleSeconds !== undefined && { idleMs: idleSeconds * 1000 }),
        ...(absoluteSeconds !== undefined && { absoluteMs: absoluteSeconds * 1000 }),
        ...(graceSeconds !== undefined && { disconnectGraceMs: graceSeconds * 1000 }),
      },
      toolsModule: flags.tools,
      upstream: upstreamOf(flags, parseEnvironment(environment)),
    },
  };
}

function upstreamOf(
  flags: ReturnType<typeof parseFlags>,
  provider: OperatorProvider | undefined,
): Configuration['upstream'] {
  if (!provider) return sampleUpstream(flags);
  if (!flags.tools) {
    throw new ConfigurationError(
      'MCP_SESSIONS_ISSUER is set, so the sample tools are off. Name a module with your own: --tools ./tools.mjs',
    );
  }
  return { kind: 'operator', ...provider, toolsModule: flags.tools };
}

function sampleUpstream({
  port,
  idpPort,
  apiPort,
  accessTokenSeconds,
}: ReturnType<typeof parseFlags>): SampleUpstream {
  const chosen = [port, idpPort, apiPort].filter((value) => value !== 0);
  const twice = chosen.find((value, index) => chosen.indexOf(value) !== index);
  if (twice !== undefined) {
    throw new ConfigurationError(
      `Port ${twice} is asked for twice. Give --port, --idp-port and --api-port a port each, or 0 for any free one.`,
    );
  }
  return { kind: 'sample', identityProviderPort: idpPort, apiPort, accessTokenSeconds };
}
