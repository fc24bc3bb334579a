import { ConfigurationError } from './configuration-error.js';
import type { EffectiveSettings } from './settings/effective-settings.js';
import type { Settings } from './settings/settings-schema.js';

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
  /** Where `/metrics` is served. Absent: nowhere. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
}

/** The client that started this process, over stdin and stdout. */
export interface StdioTransport {
  readonly kind: 'stdio';
  /** Whether to open the link of a login in the user's browser. */
  readonly openBrowser: boolean;
  /** The port of the redirect URI. Default: any free port. */
  readonly callbackPort: number | undefined;
  /** The host of the redirect URI. Default: 127.0.0.1. */
  readonly callbackHost: NonNullable<Settings['stdio']>['callbackHost'];
}

export const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 3000;
const HTTP_FLAGS = [
  '--port',
  '--host',
  '--access',
  '--max-sessions',
  '--keep-alive-seconds',
  '--metrics-port',
  '--metrics-host',
];

/** Flags of the other transport are refused. Its part of the file and its variables are not used. */
export function transportOf(effective: EffectiveSettings): HttpTransport | StdioTransport {
  const { settings, command } = effective;
  if (command.stdio) {
    assertOverStdio(effective);
    const { openBrowser = true, callbackPort, callbackHost } = settings.stdio ?? {};
    return { kind: 'stdio', openBrowser, callbackPort, callbackHost };
  }
  assertOverHttp(effective);
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, keepAliveSeconds } = settings.listen ?? {};
  const keepAliveMs = keepAliveSeconds === undefined ? undefined : keepAliveSeconds * 1000;
  const { host: metricsHost = DEFAULT_HOST, port: metricsPort } = settings.metrics ?? {};
  const metrics = metricsPort === undefined ? undefined : { host: metricsHost, port: metricsPort };
  return { kind: 'http', host, port, keepAliveMs, isJson: command.json, metrics };
}

function assertOverHttp(effective: EffectiveSettings): void {
  const flags = flagsIn(effective);
  if (flags.has('--callback-port') || flags.has('--callback-host')) {
    throw new ConfigurationError(
      'Over HTTP, redirect URIs are below the public URL. Remove --callback-port and --callback-host, or add --stdio.',
    );
  }
  if (flags.has('--no-browser')) {
    throw new ConfigurationError('Only --stdio opens a browser. Remove --no-browser, or add --stdio.');
  }
}

function assertOverStdio(effective: EffectiveSettings): void {
  if (effective.command.json) {
    throw new ConfigurationError('With --stdio, stdout carries the protocol. Remove --json or --stdio.');
  }
  const flags = flagsIn(effective);
  const conflict = HTTP_FLAGS.find((flag) => flags.has(flag));
  if (conflict === undefined) return;
  throw new ConfigurationError(
    `With --stdio, there is one client and no port. Remove ${conflict} or --stdio.`,
  );
}

function flagsIn({ given }: EffectiveSettings): ReadonlySet<string> {
  return new Set([...given.values()].flatMap(({ origin }) => (origin.kind === 'flag' ? [origin.name] : [])));
}

/** The address that redirect URIs begin with if there is no public URL. */
export function addressOf(transport: HttpTransport | StdioTransport): string {
  const { host, port } =
    transport.kind === 'http'
      ? transport
      : { host: transport.callbackHost ?? DEFAULT_HOST, port: transport.callbackPort };
  // Without a port, any port may be registered (RFC 8252 section 7.3).
  return `http://${host.includes(':') ? `[${host}]` : host}${port ? `:${port}` : ''}`;
}
