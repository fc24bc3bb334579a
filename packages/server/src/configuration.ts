import type { AccessOptions, Lifetimes, Limits, ProviderOptions } from 'mcp-sessions';
import { parseAccess } from './access-environment.js';
import { type BrandingSettings, parseBranding } from './branding.js';
import { type ClusterSettings, parseCluster } from './cluster-environment.js';
import { ConfigurationError } from './configuration-error.js';
import { type Flags, type LogLevel, parseFlags } from './flags.js';
import { type OperatorProvider, parseEnvironment } from './provider-environment.js';
import { type Allowed, parseAllowed, parseLimits } from './server-environment.js';

/** The command that the arguments name. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'keygen' }
  | { readonly kind: 'check'; readonly configuration: CheckConfiguration }
  | { readonly kind: 'serve'; readonly configuration: Configuration };

/** What `check` needs. */
export interface CheckConfiguration extends OperatorProvider {
  /** Which clients are accepted. */
  readonly access: AccessOptions;
  /** Whether to print the reports as JSON. */
  readonly isJson: boolean;
}

/** The configuration by the operator, validated. */
export interface Configuration {
  readonly transport: HttpTransport | StdioTransport;
  /** Whether to start although a setting such as `--inspect` exposes tokens. */
  readonly allowDebugging: boolean;
  readonly logLevel: LogLevel;
  /** Absent fields have the library's defaults. */
  readonly lifetimes: Partial<Lifetimes>;
  /** Absent fields have the library's defaults. */
  readonly limits: Partial<Limits>;
  /** Which clients are asked to open the link of a login. Default: that of the library's option `elicitation`. */
  readonly elicitation: Flags['elicitation'];
  /** What calls tools. Default: that of the library's option `dispatch`. */
  readonly dispatch: Flags['dispatch'];
  /** The hosts and origins that the server accepts besides its own. */
  readonly allowed: Allowed;
  /** The name and the logo on the pages of a login. */
  readonly branding: BrandingSettings;
  /** The engine that this server shares with others. Absent: it is alone. */
  readonly cluster: ClusterSettings | undefined;
  /** The path of the tools module, relative to the working directory. */
  readonly toolsModule: string | undefined;
  /** The provider that users log in at: the operator's, or the embedded one. */
  readonly upstream: SampleUpstream | OperatorUpstream;
}

/** Any number of clients, over HTTP. */
export interface HttpTransport {
  readonly kind: 'http';
  /** The address to bind. Default: 127.0.0.1. */
  readonly host: string;
  /** `0`: any free port. Default: 3000. */
  readonly port: number;
  /**
   * The time that an idle connection is kept open, in milliseconds. Default: that of the library's option
   * `keepAliveMs`.
   */
  readonly keepAliveMs: number | undefined;
  /** Whether to print the addresses as one line of JSON on stdout. */
  readonly isJson: boolean;
}

/** The client that started this process, over stdin and stdout. */
export interface StdioTransport {
  readonly kind: 'stdio';
  /** Whether to open the link of a login in the user's browser. */
  readonly openBrowser: boolean;
  /** The port of the redirect URI. Default: any free port. */
  readonly callbackPort: number | undefined;
  /** The host of the redirect URI. Default: 127.0.0.1. */
  readonly callbackHost: Flags['callbackHost'];
}

/** The embedded identity provider and notes API. */
export interface SampleUpstream {
  readonly kind: 'sample';
  /** Default: 3001; over stdio, any free port. */
  readonly identityProviderPort: number;
  /** Default: 3002; over stdio, any free port. */
  readonly apiPort: number;
  /** The lifetime of access tokens. Default: 120. */
  readonly accessTokenSeconds: number;
  /** Whether clients authenticate with access tokens of the embedded provider. */
  readonly isBearer: boolean;
  /** Whether users may, or have to, log in with a code (RFC 8628). Absent: the device flow is off. */
  readonly deviceFlow: ProviderOptions['deviceFlow'];
}

/** The operator's provider, configured by the environment. */
export interface OperatorUpstream extends OperatorProvider {
  readonly kind: 'operator';
  readonly toolsModule: string;
  /** Which clients are accepted. */
  readonly access: AccessOptions;
}

/**
 * Reads the command line and the environment.
 *
 * @param argv the arguments after the program's name
 * @throws ConfigurationError
 */
export function parseCommand(argv: readonly string[], environment: NodeJS.ProcessEnv): Command {
  const [first, ...rest] = argv;
  if (first === KEYGEN) return { kind: 'keygen' };
  const isCheck = first === CHECK;
  const flags = parseFlags(isCheck ? rest : argv);
  if (flags.help) return { kind: 'help' };
  if (flags.version) return { kind: 'version' };
  if (isCheck) return { kind: 'check', configuration: checkOf(flags, environment) };
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
      dispatch: flags.dispatch,
      allowed: parseAllowed(environment, upstream.kind === 'sample' && transport.kind === 'http'),
      branding: parseBranding(environment),
      cluster: clusterOf(environment, transport, upstream),
      toolsModule: flags.tools,
      upstream,
    },
  };
}

/** The command that prints a new master key. */
const KEYGEN = 'keygen';

/** The engine of a server that can have one. */
function clusterOf(
  environment: NodeJS.ProcessEnv,
  transport: Configuration['transport'],
  upstream: Configuration['upstream'],
): ClusterSettings | undefined {
  const cluster = parseCluster(environment);
  if (!cluster || (transport.kind === 'http' && upstream.kind === 'operator')) return cluster;
  throw new ConfigurationError(
    transport.kind === 'stdio'
      ? 'With --stdio, there is one client, and no server to share its session with. Unset MCP_SESSIONS_REDIS_URL and MCP_SESSIONS_REDIS_SENTINELS.'
      : 'Each server has an embedded identity provider of its own, so servers cannot share its logins. Set MCP_SESSIONS_ISSUER or MCP_SESSIONS_PROVIDER to use a real one.',
  );
}

/** The command that checks the provider. */
export const CHECK = 'check';

/** The configuration of a server with these flags, without its tools. */
function checkOf(flags: Flags, environment: NodeJS.ProcessEnv): CheckConfiguration {
  const transport = transportOf({ ...flags, json: false });
  // The tools are not loaded.
  const upstream = upstreamOf({ ...flags, tools: flags.tools ?? CHECK }, transport, environment);
  if (upstream.kind === 'sample') {
    throw new ConfigurationError(
      'There is no provider to check. Set MCP_SESSIONS_ISSUER, or MCP_SESSIONS_PROVIDER for a provider with a preset.',
    );
  }
  const { provider, access } = upstream;
  const publicUrl = upstream.publicUrl ?? addressOf(transport);
  return { provider, publicUrl, access, isJson: flags.json };
}

/** The address that redirect URIs begin with if there is no public URL. */
function addressOf(transport: Configuration['transport']): string {
  const { host, port } =
    transport.kind === 'http'
      ? transport
      : { host: transport.callbackHost ?? DEFAULT_HOST, port: transport.callbackPort };
  // Without a port, any port may be registered (RFC 8252 section 7.3).
  return `http://${host.includes(':') ? `[${host}]` : host}${port ? `:${port}` : ''}`;
}

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 3000;
const DEFAULT_PROVIDER_PORT = 3001;
const DEFAULT_API_PORT = 3002;
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
  callbackPort,
  callbackHost,
}: Flags): Configuration['transport'] {
  if (!stdio) {
    if (callbackPort !== undefined || callbackHost !== undefined) {
      throw new ConfigurationError(
        'Over HTTP, redirect URIs are below the public URL. Remove --callback-port and --callback-host, or add --stdio.',
      );
    }
    const keepAliveMs = keepAliveSeconds === undefined ? undefined : keepAliveSeconds * 1000;
    const address = { host: host ?? DEFAULT_HOST, port: port ?? DEFAULT_PORT };
    if (!noBrowser) return { kind: 'http', ...address, keepAliveMs, isJson: json };
    throw new ConfigurationError('Only --stdio opens a browser. Remove --no-browser, or add --stdio.');
  }
  if (json) {
    throw new ConfigurationError('With --stdio, stdout carries the protocol. Remove --json or --stdio.');
  }
  const conflict = Object.entries({
    port,
    host,
    access,
    'max-sessions': maxSessions,
    'keep-alive-seconds': keepAliveSeconds,
  }).find(([, value]) => value !== undefined);
  if (conflict) {
    const [flag] = conflict;
    throw new ConfigurationError(
      `With --stdio, there is one client and no port. Remove --${flag} or --stdio.`,
    );
  }
  return { kind: 'stdio', openBrowser: !noBrowser, callbackPort, callbackHost };
}

function upstreamOf(
  flags: Flags,
  transport: Configuration['transport'],
  environment: NodeJS.ProcessEnv,
): Configuration['upstream'] {
  const provider = parseEnvironment(environment);
  if (provider && flags.deviceFlow) {
    throw new ConfigurationError(
      '--device-flow configures the embedded provider. For your own, set MCP_SESSIONS_DEVICE_FLOW.',
    );
  }
  if (!provider) return sampleOf(flags, transport, environment);
  if (transport.kind === 'stdio' && provider.publicUrl !== undefined) {
    throw new ConfigurationError(
      'With --stdio, the redirect URI of logins is on this machine, at --callback-host and --callback-port. Unset MCP_SESSIONS_PUBLIC_URL.',
    );
  }
  if (!flags.tools) {
    throw new ConfigurationError(
      `${environment.MCP_SESSIONS_ISSUER ? 'MCP_SESSIONS_ISSUER' : 'MCP_SESSIONS_PROVIDER'} is set, so the sample tools are off. Name a module with your tools: --tools ./tools.mjs`,
    );
  }
  const access = transport.kind === 'http' ? parseAccess(environment, flags.access) : 'open';
  return { kind: 'operator', ...provider, toolsModule: flags.tools, access };
}

/** The embedded provider accepts any name as a user, so it serves this machine only. */
function sampleOf(
  flags: Flags,
  transport: Configuration['transport'],
  environment: NodeJS.ProcessEnv,
): SampleUpstream {
  if (environment.MCP_SESSIONS_ACCESS_ISSUER) {
    throw new ConfigurationError(
      'MCP_SESSIONS_ACCESS_ISSUER is set but MCP_SESSIONS_ISSUER is not. Set it or MCP_SESSIONS_PROVIDER, or unset MCP_SESSIONS_ACCESS_ISSUER.',
    );
  }
  if (flags.access === 'open-to-network' || (flags.host !== undefined && flags.host !== DEFAULT_HOST)) {
    throw new ConfigurationError(
      'The embedded identity provider accepts any name as a user, so it serves this machine only. Set MCP_SESSIONS_ISSUER or MCP_SESSIONS_PROVIDER to use a real one.',
    );
  }
  return transport.kind === 'http' ? httpSample(flags, transport) : stdioSample(flags);
}

function httpSample(flags: Flags, { port }: HttpTransport): SampleUpstream {
  const {
    idpPort = DEFAULT_PROVIDER_PORT,
    apiPort = DEFAULT_API_PORT,
    accessTokenSeconds,
    deviceFlow,
  } = flags;
  assertDifferentPorts({ '--port': port, '--idp-port': idpPort, '--api-port': apiPort });
  const isBearer = flags.access === 'bearer';
  return { kind: 'sample', identityProviderPort: idpPort, apiPort, accessTokenSeconds, isBearer, deviceFlow };
}

/** Clients may start several of these processes, so by default none uses a fixed port. */
function stdioSample(flags: Flags): SampleUpstream {
  const { idpPort = ANY_FREE_PORT, apiPort = ANY_FREE_PORT, accessTokenSeconds, deviceFlow } = flags;
  assertDifferentPorts({ '--idp-port': idpPort, '--api-port': apiPort });
  return {
    kind: 'sample',
    identityProviderPort: idpPort,
    apiPort,
    accessTokenSeconds,
    isBearer: false,
    deviceFlow,
  };
}

function assertDifferentPorts(portsByFlag: Readonly<Record<string, number>>): void {
  const chosen = Object.values(portsByFlag).filter((port) => port !== ANY_FREE_PORT);
  const twice = chosen.find((port, index) => chosen.indexOf(port) !== index);
  if (twice === undefined) return;
  const flags = Object.keys(portsByFlag)
    .join(', ')
    .replace(/, ([^,]*)$/, ' and $1');
  throw new ConfigurationError(
    `Port ${twice} is used twice. Give ${flags} different ports, or 0 for any free port.`,
  );
}
