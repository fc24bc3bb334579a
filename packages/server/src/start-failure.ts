import { SessionError } from 'mcp-sessions';
import { ZodError } from 'zod';
import type { Configuration } from './configuration.js';
import { ConfigurationError } from './configuration-error.js';
import { variableOf, withVariables } from './provider-environment.js';
import { PREFIX } from './variables.js';

/**
 * The error of a failed start, as one line that says what to do. Unexpected errors are returned unchanged.
 *
 * @param configuration absent: no port is bound
 */
export function startFailure(cause: unknown, configuration?: Pick<Configuration, 'upstream'>): unknown {
  if (!(cause instanceof Error)) return cause;
  const [issue] = cause.cause instanceof ZodError ? cause.cause.issues : [];
  const isProvider = cause.message.startsWith('The provider options');
  const setting = issue && (isProvider ? variableAt(issue.path) : settingOf(issue.path));
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
        ? new ConfigurationError(inTermsOfTheCommand(cause.message), { cause })
        : cause;
  }
}

/** The options of the library that have flags, or variables of the server. */
const OPTIONS: readonly (readonly [option: string, ofCommand: string])[] = [
  ['`access: { issuer }`', '--access bearer'],
  ["`access: 'open-to-network'`", '--access open-to-network'],
  ['`publicUrl`', `${PREFIX}PUBLIC_URL`],
  ['`keys`', `${PREFIX}MASTER_KEYS_FILE`],
  ['`namespace`', `${PREFIX}REDIS_NAMESPACE`],
  ['`trustedProxies`', `${PREFIX}TRUSTED_PROXIES`],
];

function inTermsOfTheCommand(message: string): string {
  return withVariables(
    OPTIONS.reduce((text, [option, ofCommand]) => text.replaceAll(option, ofCommand), message),
  );
}

/** The issue of an unknown option has its name in the message, not in the path. */
function sentenceOf(setting: string, { code, message }: ZodError['issues'][number]): string {
  return code === 'unrecognized_keys' ? `${setting}: ${message}` : `${setting} ${message}.`;
}

/** The variable of an option of the provider, and the field of its JSON. */
function variableAt([option, ...fields]: readonly PropertyKey[]): string {
  return [variableOf(String(option)), ...fields.map(String)].join(': ');
}

/** The name of the variable for an option that only the library validates. */
function settingOf([group, option]: readonly PropertyKey[]): string | undefined {
  if (group === 'limits') return [`${PREFIX}LIMITS`, option].filter(Boolean).join(': ');
  if (group === 'allowedHosts') return `${PREFIX}ALLOWED_HOSTS:`;
  if (group === 'allowedOrigins') return `${PREFIX}ALLOWED_ORIGINS:`;
  if (group !== 'branding') return undefined;
  return option === 'logo' ? `${PREFIX}LOGO` : `${PREFIX}DISPLAY_NAME`;
}

/** The flag that names a port. All ports differ. */
function flagOf(port: number | undefined, configuration?: Pick<Configuration, 'upstream'>): string {
  const upstream = configuration?.upstream;
  if (upstream?.kind !== 'sample') return '--port';
  if (port === upstream.identityProviderPort) return '--idp-port';
  return port === upstream.apiPort ? '--api-port' : '--port';
}
