import { ZodError } from 'zod';
import type { Configuration } from './configuration.js';
import { ConfigurationError } from './configuration-error.js';
import { PREFIX } from './variables.js';

/**
 * Why the server did not start, as an error whose one line says what to do. What nobody foresaw comes back
 * unchanged.
 */
export function startFailure(cause: unknown, configuration: Configuration): unknown {
  if (!(cause instanceof Error)) return cause;
  const [issue] = cause.cause instanceof ZodError ? cause.cause.issues : [];
  const setting = issue && settingOf(issue.path);
  if (setting) return new ConfigurationError(sentenceOf(setting, issue), { cause });
  // Node adds these to system errors; its types leave the port out.
  const { code, port } = cause as NodeJS.ErrnoException & { port?: number };
  const flag = flagOf(port, configuration);
  switch (code) {
    case 'EADDRINUSE':
      return new ConfigurationError(
        `Port ${port} is in use. Choose another with ${flag}, or 0 for any free one.`,
        { cause },
      );
    case 'EACCES':
      return new ConfigurationError(
        `Port ${port} is not open to this user. Choose one above 1023 with ${flag}.`,
        {
          cause,
        },
      );
    default:
      return cause;
  }
}

/** An unknown option is not named by the path of its issue, but by the message. */
function sentenceOf(setting: string, { code, message }: ZodError['issues'][number]): string {
  return code === 'unrecognized_keys' ? `${setting}: ${message}` : `${setting} ${message}.`;
}

/** What the operator calls an option of the library that only it checks. */
function settingOf([group, option]: readonly PropertyKey[]): string | undefined {
  if (group === 'limits') return [`${PREFIX}LIMITS`, option].filter(Boolean).join(': ');
  if (group === 'allowedHosts') return `${PREFIX}ALLOWED_HOSTS:`;
  if (group === 'allowedOrigins') return `${PREFIX}ALLOWED_ORIGINS:`;
  if (group !== 'branding') return undefined;
  return option === 'logo' ? `${PREFIX}LOGO` : `${PREFIX}DISPLAY_NAME`;
}

/** No two flags name the same port: the configuration refuses that. */
function flagOf(port: number | undefined, { upstream }: Configuration): string {
  if (upstream.kind === 'sample' && port === upstream.identityProviderPort) return '--idp-port';
  if (upstream.kind === 'sample' && port === upstream.apiPort) return '--api-port';
  return '--port';
}
