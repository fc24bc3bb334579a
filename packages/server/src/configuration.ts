import type { AccessOptions, Lifetimes, Limits, ProviderOptions } from 'mcp-sessions';
import { parseAccess } from './access-environment.js';
import { type Allowed, parseAllowed } from './allowed-environment.js';
import { type BrandingSettings, parseBranding } from './branding.js';
import { ConfigurationError } from './configuration-error.js';
import { type OperatorProvider, parseEnvironment } from './environment.js';
import { type Flags, type LogLevel, parseFlags } from './flags.js';
import { parseLimits } from './limits-environment.js';

/** What the process was asked to do. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'serve'; readonly configuration: Configuration };

/** Everything the operator decided, parsed once. */
export interface Configuration {
  readonly transport: HttpTransport | StdioTransport;
  /** Start although the process is open to a debugger. */
  readonly allowDebugging: boolean;
  readonly logLevel: LogLevel;
  /** What is absent keeps the library's default. */
  readonly lifetimes: Partial<Lifetimes>;
  /** What is absent keeps the library's default. */
  readonly limits: Partial<Limits>;
  /** Which clients are asked to open the link of a login. Default: as the library's option `elicitation`. */
  readonly elicitation: Flags['elicitation'];
  /** The hosts and origins that the server accepts besides its own. */
  readonly allowed: Allowed;
  /** What people see of the server during a login. */
  readonly branding: BrandingSettings;
  /** Path of a module that registers tools, relative to the working directory. */
  readonly toolsModule: string | undefined;
  /** Whose tokens the sessions hold: the operator's provider, or the embedded one. */
  readonly upstream: SampleUpstream | OperatorUpstream;
}

/** Any number of clients, over HTTP. */
export interface HttpTransport {
  readonly kind: 'http';
  /** Where to listen. Default: 127.0.0.1. */
  readonly host: string;
  /** `0` for any free one. Default: 3000. */
  readonly port: number;
  /**
   * How long a connection is kept between requests, in milliseconds. Default: as the library's option `keepAliveMs`.
   */
  readonly keepAliveMs: number | undefined;
  /** Whether one line of addresses goes to stdout. */
  readonly isJson: boolean;
}

/** The client that started this process, over stdin and stdout. */
export interface StdioTransport {
  readonly kind: 'stdio';
  /** Whether links are opened in the user's browser. */
  readonly openBrowser: boolean;
}

/** The embedded identity provider and notes API. */
export interface SampleUpstream {
  readonly kind: 'sample';
  /** Default: 3001; any free one over stdio. */
  readonly identityProviderPort: number;
  /** Default: 3002; any free one over stdio. */
  readonly apiPort: number;
  /** Lifetime of the access tokens. Default: 120. */
  readonly accessTokenSeconds: number;
  /** Whether clients bring access tokens of the embedded provider. */
  readonly isBearer: boolean;
  /** Whether users may log in by a code, or have to. Absent: they cannot. */
  readonly deviceFlow: ProviderOptions['deviceFlow'];
}

/** A real provider, described by the environment. */
export interface OperatorUpstream extends OperatorProvider {
  readonly kind: 'operator';
  readonly toolsModule: string;
  /** How clients are let in. */
  readonly access: AccessOptions;
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
  const { graceSeconds, idleSeconds, absoluteSeconds, drainSeconds } = flags;
  const transport = transportOf(flags);
  const upstream = upstreamOf(flags, transport, environment);
  return {
    kind: 'serve',
    configuration: {
      transport,
      allowDebugging: flags.allowDebugging,
      logLevel: flags.logLevel,
      lifetimes: {
        ...(idleSeconds !== undefined && { idleMs: idleSeconds * 1000 }),
        ...(absoluteSeconds !== undefined && { absoluteMs: absoluteSeconds * 1000 }),
        ...(graceSeconds !== undefined && { disconnectGraceMs: graceSeconds * 1000 }),
        ...(drainSeconds !== undefined && { shutdownDrainMs: drainSeconds * 1000 }),
      },
      limits: {
        ...parseLimits(environment),
        ...(flags.maxSessions !== undefined && { maxSessions: flags.maxSessions }),
      },
      elicitation: flags.elicitation,
      allowed: parseAllowed(environment, upstream.kind === 'sample' && transport.kind === 'http'),
      branding: parseBranding(environment),
      toolsModule: flags.tools,
      upstream,
    },
  };
}

const USUAL_HOST = '127.0.0.1';
const USUAL_PORT = 3000;
const USUAL_PROVIDER_PORT = 3001;
const USUAL_API_PORT = 3002;
const ANY_FREE_PORT = 0;

function transportOf({
  stdio,
  noBrowser,
  host,
  port,
  keepAliveSeconds,
  access,
  maxSessions,
  json,
}: Flags): Configuration['transport'] {
  if (!stdio) {
    const keepAliveMs = keepAliveSeconds === undefined ? undefined : keepAliveSeconds * 1000;
    const address = { host: host ?? USUAL_HOST, port: port ?? USUAL_PORT };
    if (!noBrowser) return { kind: 'http', ...address, keepAliveMs, isJson: json };
    throw new ConfigurationError('Only --stdio opens a browser. Leave out --no-browser, or add --stdio.');
  }
  if (json) {
    throw new ConfigurationError(
      'With --stdio, stdout belongs to the protocol. Leave out --json or --stdio.',
    );
  }
  const networked = Object.entries({
    port,
    host,
    access,
    'max-sessions': maxSessions,
    'keep-alive-seconds': keepAliveSeconds,
  }).find(([, value]) => value !== undefined);
  if (networked) {
    const [flag] = networked;
    throw new ConfigurationError(
      `With --stdio, there is one client, and no port. Leave out --${flag} or --stdio.`,
    );
  }
  return { kind: 'stdio', openBrowser: !noBrowser };
}

function upstreamOf(
  flags: Flags,
  transport: Configuration['transport'],
  environment: NodeJS.ProcessEnv,
): Configuration['upstream'] {
  const provider = parseEnvironment(environment);
  if (provider && flags.deviceFlow) {
    throw new ConfigurationError(
      '--device-flow is for the embedded provider. With your own, set MCP_SESSIONS_DEVICE_FLOW.',
    );
  }
  if (!provider) return sampleOf(flags, transport, environment);
  if (transport.kind === 'stdio' && provider.publicUrl !== undefined) {
    throw new ConfigurationError(
      'With --stdio, logins come back to a free port of 127.0.0.1. Unset MCP_SESSIONS_PUBLIC_URL.',
    );
  }
  if (!flags.tools) {
    throw new ConfigurationError(
      'MCP_SESSIONS_ISSUER is set, so the sample tools are off. Name a module with your own: --tools ./tools.mjs',
    );
  }
  const access = transport.kind === 'http' ? parseAccess(environment, flags.access) : 'open';
  return { kind: 'operator', ...provider, toolsModule: flags.tools, access };
}

/** The embedded provider believes any name, so it is for this machine only. */
function sampleOf(
  flags: Flags,
  transport: Configuration['transport'],
  environment: NodeJS.ProcessEnv,
): SampleUpstream {
  if (environment.MCP_SESSIONS_ACCESS_ISSUER) {
    throw new ConfigurationError(
      'MCP_SESSIONS_ACCESS_ISSUER is set but MCP_SESSIONS_ISSUER is not. Set it, or unset both.',
    );
  }
  if (flags.access === 'open-to-network' || (flags.host !== undefined && flags.host !== USUAL_HOST)) {
    throw new ConfigurationError(
      'The embedded identity provider believes any name, so it serves this machine only. Set MCP_SESSIONS_ISSUER to use a real one.',
    );
  }
  return transport.kind === 'http' ? usualSample(flags, transport) : stdioSample(flags);
}

function usualSample(flags: Flags, { port }: HttpTransport): SampleUpstream {
  const { idpPort = USUAL_PROVIDER_PORT, apiPort = USUAL_API_PORT, accessTokenSeconds, deviceFlow } = flags;
  assertDifferent({ '--port': port, '--idp-port': idpPort, '--api-port': apiPort });
  const isBearer = flags.access === 'bearer';
  return { kind: 'sample', identityProviderPort: idpPort, apiPort, accessTokenSeconds, isBearer, deviceFlow };
}

/** Clients start as many of these processes as they like, so none may take a port that was not asked for. */
function stdioSample(flags: Flags): SampleUpstream {
  const { idpPort = ANY_FREE_PORT, apiPort = ANY_FREE_PORT, accessTokenSeconds, deviceFlow } = flags;
  assertDifferent({ '--idp-port': idpPort, '--api-port': apiPort });
  return {
    kind: 'sample',
    identityProviderPort: idpPort,
    apiPort,
    accessTokenSeconds,
    isBearer: false,
    deviceFlow,
  };
}

function assertDifferent(portsByFlag: Readonly<Record<string, number>>): void {
  const chosen = Object.values(portsByFlag).filter((port) => port !== ANY_FREE_PORT);
  const twice = chosen.find((port, index) => chosen.indexOf(port) !== index);
  if (twice === undefined) return;
  const flags = Object.keys(portsByFlag)
    .join(', ')
    .replace(/, ([^,]*)$/, ' and $1');
  throw new ConfigurationError(
    `Port ${twice} is asked for twice. Give ${flags} a port each, or 0 for any free one.`,
  );
}
