import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ConfigurationError, configurationError } from './configuration-error.js';

/** From no output to the most. */
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;

/** The values of `--access`. */
const ACCESS_MODES = ['open', 'open-to-network', 'bearer'] as const;

/** Which clients are accepted. */
export type AccessMode = (typeof ACCESS_MODES)[number];

/** Whether users may, or have to, log in with a code (RFC 8628). */
export const DEVICE_FLOWS = ['allowed', 'only'] as const;

/** The values of `--elicitation`. */
const ELICITATIONS = ['auto', 'never'] as const;

/** The values of `--dispatch`. */
const DISPATCHES = ['direct', 'sdk'] as const;

/** The values of `--callback-host`. */
const CALLBACK_HOSTS = ['127.0.0.1', 'localhost'] as const;

/** How much is logged to stderr. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The command line. For flags that are `undefined`, the default of the library applies. */
export interface Flags {
  readonly stdio: boolean;
  readonly noBrowser: boolean;
  /** The port of the redirect URI over stdio. */
  readonly callbackPort: number | undefined;
  /** The host of the redirect URI over stdio. */
  readonly callbackHost: (typeof CALLBACK_HOSTS)[number] | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** The time that an idle connection is kept open, in seconds. */
  readonly keepAliveSeconds: number | undefined;
  /** Default: `bearer` if the environment has an access issuer, `open` otherwise. */
  readonly access: AccessMode | undefined;
  /** The device flow of the embedded provider. */
  readonly deviceFlow: (typeof DEVICE_FLOWS)[number] | undefined;
  /** Which clients are asked to open the link of a login. */
  readonly elicitation: (typeof ELICITATIONS)[number] | undefined;
  readonly dispatch: (typeof DISPATCHES)[number] | undefined;
  readonly idpPort: number | undefined;
  readonly apiPort: number | undefined;
  readonly accessTokenSeconds: number;
  readonly idleSeconds: number | undefined;
  readonly absoluteSeconds: number | undefined;
  readonly graceSeconds: number | undefined;
  readonly drainSeconds: number | undefined;
  readonly maxSessions: number | undefined;
  readonly logLevel: LogLevel;
  readonly tools: string | undefined;
  readonly allowDebugging: boolean;
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const MAX_SESSIONS = 1_000_000;
const DAY_SECONDS = 24 * 60 * 60;
const YEAR_SECONDS = 365 * DAY_SECONDS;

const port = wholeNumber('a port from 0 to 65535', 0, 65_535);
const callbackPort = wholeNumber('a port from 1 to 65535', 1, 65_535);
const seconds = wholeNumber('a whole number of seconds, at least 1', 1, YEAR_SECONDS);
const keepAliveSeconds = wholeNumber('a whole number of seconds from 1 to 86400', 1, DAY_SECONDS);
const graceSeconds = wholeNumber('a whole number of seconds', 0, YEAR_SECONDS);
const sessions = wholeNumber('a whole number from 1 to 1000000', 1, MAX_SESSIONS);
const toggle = z.boolean().default(false);

const schema = z.object({
  stdio: toggle,
  'no-browser': toggle,
  'callback-port': callbackPort.optional(),
  'callback-host': z.enum(CALLBACK_HOSTS, `must be one of ${CALLBACK_HOSTS.join(', ')}`).optional(),
  host: z.string().min(1, 'must be an address of this machine').optional(),
  port: port.optional(),
  'keep-alive-seconds': keepAliveSeconds.optional(),
  access: z.enum(ACCESS_MODES, `must be one of ${ACCESS_MODES.join(', ')}`).optional(),
  'device-flow': z.enum(DEVICE_FLOWS, `must be one of ${DEVICE_FLOWS.join(', ')}`).optional(),
  elicitation: z.enum(ELICITATIONS, `must be one of ${ELICITATIONS.join(', ')}`).optional(),
  dispatch: z.enum(DISPATCHES, `must be one of ${DISPATCHES.join(', ')}`).optional(),
  'idp-port': port.optional(),
  'api-port': port.optional(),
  'access-token-seconds': seconds.default(120),
  'idle-seconds': seconds.optional(),
  'absolute-seconds': seconds.optional(),
  'grace-seconds': graceSeconds.optional(),
  'drain-seconds': graceSeconds.optional(),
  'max-sessions': sessions.optional(),
  'log-level': z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('warn'),
  tools: z.string().min(1, 'must name a module').optional(),
  'allow-debugging': toggle,
  json: toggle,
  help: toggle,
  version: toggle,
});

/**
 * Reads the command line.
 *
 * @param argv the arguments after the program's name
 * @throws ConfigurationError for unknown flags and wrong values
 */
export function parseFlags(argv: readonly string[]): Flags {
  const { data, error } = schema.safeParse(splitArguments(argv));
  if (error) throw configurationError(error, (name) => `--${name}`);
  return {
    stdio: data.stdio,
    noBrowser: data['no-browser'],
    callbackPort: data['callback-port'],
    callbackHost: data['callback-host'],
    host: data.host,
    port: data.port,
    keepAliveSeconds: data['keep-alive-seconds'],
    access: data.access,
    deviceFlow: data['device-flow'],
    elicitation: data.elicitation,
    dispatch: data.dispatch,
    idpPort: data['idp-port'],
    apiPort: data['api-port'],
    accessTokenSeconds: data['access-token-seconds'],
    idleSeconds: data['idle-seconds'],
    absoluteSeconds: data['absolute-seconds'],
    graceSeconds: data['grace-seconds'],
    drainSeconds: data['drain-seconds'],
    maxSessions: data['max-sessions'],
    logLevel: data['log-level'],
    tools: data.tools,
    allowDebugging: data['allow-debugging'],
    json: data.json,
    help: data.help,
    version: data.version,
  };
}

function splitArguments(argv: readonly string[]): Record<string, unknown> {
  const text = { type: 'string' } as const;
  const toggle = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        stdio: toggle,
        'no-browser': toggle,
        'callback-port': text,
        'callback-host': text,
        host: text,
        port: text,
        'keep-alive-seconds': text,
        access: text,
        'device-flow': text,
        elicitation: text,
        dispatch: text,
        'idp-port': text,
        'api-port': text,
        'access-token-seconds': text,
        'idle-seconds': text,
        'absolute-seconds': text,
        'grace-seconds': text,
        'drain-seconds': text,
        'max-sessions': text,
        'log-level': text,
        tools: text,
        'allow-debugging': toggle,
        json: toggle,
        help: toggle,
        version: toggle,
      },
    }).values;
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    // The rest of Node's message explains positional arguments, which this program does not have.
    const [what] = cause.message.split(/[.]? To specify|[.] This command|\n/);
    const hint =
      what === "Unexpected argument 'check'"
        ? 'Write it before the flags'
        : 'Run with --help to see all settings';
    throw new ConfigurationError(`${what}. ${hint}.`, { cause });
  }
}

function wholeNumber(meaning: string, minimum: number, maximum: number): z.ZodType<number, string> {
  const error = `must be ${meaning}`;
  return z
    .string()
    .regex(/^\d+$/, error)
    .transform(Number)
    .pipe(z.number().min(minimum, error).max(maximum, error));
}
