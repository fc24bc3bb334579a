import type { Lifetimes, Limits, ProviderOptions } from 'mcp-sessions';
import type { BrandingSettings } from './branding.js';
import { type ClusterSettings, clusterOf } from './cluster.js';
import { type SettingNames, settingNames } from './setting-names.js';
import type { EffectiveSettings } from './settings/effective-settings.js';
import type { LogLevel, Settings } from './settings/settings-schema.js';
import { type HttpTransport, type StdioTransport, transportOf } from './transport.js';
import { type DemoUpstream, type OperatorUpstream, upstreamOf } from './upstream.js';

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
  readonly elicitation: Settings['elicitation'];
  /** What calls tools. Default: that of the library's option `dispatch`. */
  readonly dispatch: Settings['dispatch'];
  /** Whether connections hibernate. Default: that of the library's option `hibernate`. */
  readonly hibernate: Settings['hibernate'];
  /** The hosts and origins that the server accepts besides its own. */
  readonly allowed: Allowed;
  /** The name and the logo on the pages of a login. */
  readonly branding: BrandingSettings;
  /** The engine that this server shares with others. Absent: it is alone. */
  readonly cluster: ClusterSettings | undefined;
  /** The path of the tools module, relative to the working directory. */
  readonly toolsModule: string | undefined;
  /** The providers that users log in at: the operator's, or the embedded one. */
  readonly upstream: DemoUpstream | OperatorUpstream;
  /** How the operator knows the options of the providers. */
  readonly names: SettingNames;
  /** How messages name a setting. */
  readonly nameOf: EffectiveSettings['nameOf'];
}

/** The hosts and origins that the server accepts besides those of its public URL. Default: none. */
interface Allowed {
  readonly allowedHosts: string[] | undefined;
  readonly allowedOrigins: string[] | undefined;
}

/** The origins of the MCP Inspector's page. */
const INSPECTOR_ORIGINS = ['http://localhost:6274', 'http://127.0.0.1:6274'];

/** @throws ConfigurationError if the settings do not fit together, or a secret cannot be read */
export function configurationOf(effective: EffectiveSettings, environment: NodeJS.ProcessEnv): Configuration {
  const { settings, nameOf } = effective;
  const transport = transportOf(effective);
  const upstream = upstreamOf(effective, transport, environment);
  // Users and their data are made up. Real data must not be exposed to every page on that port of this machine.
  const isDemo = upstream.kind === 'sample' && transport.kind === 'http';
  return {
    transport,
    allowDebugging: settings.allowDebugging ?? false,
    logLevel: settings.logLevel ?? 'warn',
    lifetimes: lifetimesOf(settings.lifetimes ?? {}),
    limits: settings.limits ?? {},
    elicitation: settings.elicitation,
    dispatch: settings.dispatch,
    hibernate: settings.hibernate,
    allowed: {
      allowedHosts: settings.allowedHosts,
      allowedOrigins: settings.allowedOrigins ?? (isDemo ? INSPECTOR_ORIGINS : undefined),
    },
    branding: settings.branding ?? {},
    cluster: clusterOf(effective, transport.kind, upstream.kind),
    toolsModule: settings.tools,
    upstream,
    names: settingNames(effective, upstream.kind === 'sample' ? [] : upstream.providers.map(providerName)),
    nameOf,
  };
}

/** The name of a provider in reports and logs. */
function providerName({ name, issuer }: ProviderOptions): string {
  return name ?? (URL.canParse(issuer) ? new URL(issuer).host : issuer);
}

/** The option of the library for each lifetime. */
const LIFETIMES = {
  idleSeconds: 'idleMs',
  absoluteSeconds: 'absoluteMs',
  disconnectGraceSeconds: 'disconnectGraceMs',
  loginAttemptSeconds: 'loginAttemptMs',
  connectionTtlSeconds: 'connectionTtlMs',
  shutdownDrainSeconds: 'shutdownDrainMs',
} as const satisfies Record<keyof NonNullable<Settings['lifetimes']>, keyof Lifetimes>;

function lifetimesOf(seconds: NonNullable<Settings['lifetimes']>): Partial<Lifetimes> {
  const names = Object.keys(LIFETIMES) as (keyof typeof LIFETIMES)[];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = seconds[name];
      return value === undefined ? [] : [[LIFETIMES[name], value * 1000]];
    }),
  );
}
