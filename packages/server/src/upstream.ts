import type { AccessOptions, ProviderOptions } from 'mcp-sessions';
import { accessOf } from './access.js';
import { ConfigurationError } from './configuration-error.js';
import { type Providers, providersOf } from './providers.js';
import type { EffectiveSettings } from './settings/effective-settings.js';
import { DEFAULT_HOST, type HttpTransport, type StdioTransport } from './transport.js';

/** The embedded identity provider and notes API. */
export interface DemoUpstream {
  readonly kind: 'sample';
  /** Whether the operator asked for it. */
  readonly isAsked: boolean;
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

/** The operator's own providers. */
export interface OperatorProviders {
  /** The first is the default. */
  readonly providers: Providers;
  /** The URL at which browsers reach this server. Absent: its address on loopback. */
  readonly publicUrl: string | undefined;
  /** The proxies in front of this server. */
  readonly trustedProxies: string[] | undefined;
  /** Which clients are accepted. */
  readonly access: AccessOptions;
}

export interface OperatorUpstream extends OperatorProviders {
  readonly kind: 'operator';
  readonly toolsModule: string;
}

const DEFAULT_PROVIDER_PORT = 3001;
const DEFAULT_API_PORT = 3002;
const DEFAULT_ACCESS_TOKEN_SECONDS = 120;
const ANY_FREE_PORT = 0;

const SET_A_PROVIDER = 'Set MCP_SESSIONS_ISSUER, or MCP_SESSIONS_PROVIDER for a provider with a preset';

/**
 * The operator's providers, or the embedded one.
 * @throws ConfigurationError
 */
export function upstreamOf(
  effective: EffectiveSettings,
  transport: HttpTransport | StdioTransport,
  environment: NodeJS.ProcessEnv,
): DemoUpstream | OperatorUpstream {
  const { settings, command, nameOf } = effective;
  const providers = providersOf(effective, environment);
  if (!providers) return demoOf(effective, transport);
  if (command.demo) {
    throw new ConfigurationError(
      `--demo starts an identity provider that accepts any name and password, but ${nameOf(firstProvider(effective))} is set. Remove one of them.`,
    );
  }
  if (settings.demo?.deviceFlow) {
    throw new ConfigurationError(
      `${nameOf(['demo', 'deviceFlow'])} configures the embedded provider. For your own, set ${nameOf(['providers', '0', 'deviceFlow'])}.`,
    );
  }
  if (transport.kind === 'stdio' && settings.publicUrl !== undefined) {
    const name = nameOf(['publicUrl']);
    const advice = name.startsWith('MCP_') ? `Unset ${name}` : `Remove ${name}`;
    throw new ConfigurationError(
      `With --stdio, the redirect URI of logins is on this machine, at --callback-host and --callback-port. ${advice}.`,
    );
  }
  if (!settings.tools) {
    throw new ConfigurationError(
      `${nameOf(firstProvider(effective))} is set, so the sample tools are off. Name a module with your tools: --tools ./tools.mjs`,
    );
  }
  return {
    kind: 'operator',
    providers,
    publicUrl: settings.publicUrl,
    trustedProxies: settings.trustedProxies,
    access: transport.kind === 'http' ? accessOf(effective, environment) : 'open',
    toolsModule: settings.tools,
  };
}

function firstProvider({ settings }: EffectiveSettings): string[] {
  return ['providers', '0', settings.providers?.[0]?.issuer === undefined ? 'preset' : 'issuer'];
}

/** The embedded provider accepts any name as a user, so it serves this machine only, and never by mistake. */
function demoOf(effective: EffectiveSettings, transport: HttpTransport | StdioTransport): DemoUpstream {
  const { settings, command, file, nameOf } = effective;
  const real = realSetting(effective);
  if (real !== undefined) {
    throw new ConfigurationError(
      file === undefined
        ? `${nameOf(real)} is set but MCP_SESSIONS_ISSUER is not. Set it or MCP_SESSIONS_PROVIDER, or unset ${nameOf(real)}.`
        : `${nameOf(real)} is set but there is no provider. Add one to providers in ${file}, or remove it.`,
    );
  }
  if (file !== undefined && !command.demo) {
    throw new ConfigurationError(
      `${file} has no provider. Add one to providers, or add --demo to start the embedded one, which accepts any name and password.`,
    );
  }
  const { host = DEFAULT_HOST } = settings.listen ?? {};
  if (settings.access?.mode === 'open-to-network' || (transport.kind === 'http' && host !== DEFAULT_HOST)) {
    throw new ConfigurationError(
      `The embedded identity provider accepts any name as a user, so it serves this machine only. ${SET_A_PROVIDER}.`,
    );
  }
  const isHttp = transport.kind === 'http';
  const { demo = {} } = settings;
  const {
    // Clients may start several processes over stdio, so by default none uses a fixed port.
    identityProviderPort = isHttp ? DEFAULT_PROVIDER_PORT : ANY_FREE_PORT,
    apiPort = isHttp ? DEFAULT_API_PORT : ANY_FREE_PORT,
    accessTokenSeconds = DEFAULT_ACCESS_TOKEN_SECONDS,
    deviceFlow,
  } = demo;
  assertDifferentPorts({
    ...(isHttp && { '--port': transport.port }),
    '--idp-port': identityProviderPort,
    '--api-port': apiPort,
  });
  const isBearer = isHttp && settings.access?.mode === 'bearer';
  return {
    kind: 'sample',
    isAsked: command.demo,
    identityProviderPort,
    apiPort,
    accessTokenSeconds,
    isBearer,
    deviceFlow,
  };
}

/** A setting that only a real provider has. */
function realSetting({
  settings: { access, publicUrl, trustedProxies },
}: EffectiveSettings): string[] | undefined {
  const ofAccess = Object.keys(access ?? {}).find((key) => key !== 'mode');
  if (ofAccess !== undefined) return ['access', ofAccess];
  if (publicUrl !== undefined) return ['publicUrl'];
  return trustedProxies === undefined ? undefined : ['trustedProxies'];
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
