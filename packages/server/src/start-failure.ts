import { SessionError } from 'mcp-sessions';
import { ZodError } from 'zod';
import type { Configuration } from './configuration.js';
import { ConfigurationError } from './configuration-error.js';
import { settingAt } from './settings/effective-settings.js';

/** What the messages about a failed start need. */
type Failed = Pick<Configuration, 'names' | 'nameOf'> &
  Partial<Pick<Configuration, 'upstream' | 'transport'>>;

/** The error of a failed start, as one line that says what to do. Unexpected errors are returned unchanged. */
export function startFailure(cause: unknown, configuration: Failed): unknown {
  if (!(cause instanceof Error)) return cause;
  const [issue] = cause.cause instanceof ZodError ? cause.cause.issues : [];
  const setting = issue && settingOf(cause.message, issue.path.map(String), configuration);
  if (setting) return new ConfigurationError(sentenceOf(setting, issue), { cause });
  // Node adds these to system errors; its types lack the port.
  const { code, port } = cause as NodeJS.ErrnoException & { port?: number };
  const flag = flagOf(port, configuration);
  switch (code) {
    case 'EADDRINUSE':
      return new ConfigurationError(
        `Port ${port} is in use. Choose another port with ${flag}, or 0 for any free port.`,
        { cause },
      );
    case 'EACCES':
      return new ConfigurationError(
        `Port ${port} is reserved for privileged users. Choose a port above 1023 with ${flag}.`,
        {
          cause,
        },
      );
    default:
      return cause instanceof SessionError
        ? new ConfigurationError(inTermsOfTheCommand(cause.message, configuration), { cause })
        : cause;
  }
}

function inTermsOfTheCommand(message: string, { names, nameOf }: Failed): string {
  const options = [
    ['`access: { issuer }`', '--access bearer'],
    ["`access: 'open-to-network'`", '--access open-to-network'],
    ['`publicUrl`', nameOf(['publicUrl'])],
    ['`url` of `redisCluster`', nameOf(['cluster', 'url'])],
    ['`sentinels` of `redisCluster`', nameOf(['cluster', 'sentinels'])],
    ['`keys`', nameOf(['cluster', 'keysFile'])],
    ['`namespace`', nameOf(['cluster', 'namespace'])],
    ['`trustedProxies`', nameOf(['trustedProxies'])],
  ] as const;
  return names.inText(
    '',
    options.reduce((text, [option, name]) => text.replaceAll(option, name), message),
  );
}

/** The issue of an unknown option has its name in the message, not in the path. */
function sentenceOf(setting: string, { code, message }: ZodError['issues'][number]): string {
  return code === 'unrecognized_keys' ? `${setting}: ${message}` : `${setting} ${message}.`;
}

/** The name of an option that only the library validates. `undefined`: it is no setting. */
function settingOf(message: string, path: readonly string[], { nameOf }: Failed): string | undefined {
  const number = /^The provider options(?: of providers\[(\d+)\])? are invalid/.exec(message);
  if (number) return nameOf(['providers', number[1] ?? '0', ...path]);
  // These messages contain the value.
  if (path[0] === 'allowedHosts' || path[0] === 'allowedOrigins') return `${nameOf([path[0]])}:`;
  const isAccess = message.startsWith('`access` is invalid');
  const isCluster = message.startsWith('The options of `redisCluster`');
  const section = isAccess ? 'access' : isCluster ? 'cluster' : undefined;
  const of = section === undefined ? path : [section, ...path];
  return settingAt(of) || settingAt(of.slice(0, 1)) ? nameOf(of) : undefined;
}

/** The flag that names a port. All ports differ. */
function flagOf(port: number | undefined, { upstream, transport }: Failed): string {
  if (transport?.kind === 'http' && port !== undefined && port === transport.metrics?.port)
    return '--metrics-port';
  if (upstream?.kind !== 'sample') return '--port';
  if (port === upstream.identityProviderPort) return '--idp-port';
  return port === upstream.apiPort ? '--api-port' : '--port';
}
