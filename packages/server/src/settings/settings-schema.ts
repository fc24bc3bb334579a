import type { BearerAccessOptions, Branding, Limits } from 'mcp-sessions';
import { z } from 'zod';
import { type ProviderSettings, providerSchema } from './provider-schema.js';
import { oneOf, section, setting, wholeNumber } from './setting.js';

/** From no output to the most. */
const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
const ACCESS_MODES = ['open', 'open-to-network', 'bearer'] as const;
const DEVICE_FLOWS = ['allowed', 'only'] as const;
const CALLBACK_HOSTS = ['127.0.0.1', 'localhost'] as const;

/** Which clients are accepted. */
type AccessMode = (typeof ACCESS_MODES)[number];
/** How much is logged to stderr. */
export type LogLevel = (typeof LOG_LEVELS)[number];
/** Whether users may, or have to, log in with a code (RFC 8628). */
type DeviceFlow = (typeof DEVICE_FLOWS)[number];

/** A registration whose secret is not in the file. */
export interface RegistrationSettings {
  readonly clientId?: string;
  readonly clientSecret?: string;
  readonly clientSecretFile?: string;
}

/** The settings of all sources. Absent: the default applies. */
export interface Settings {
  readonly publicUrl?: string;
  readonly tools?: string;
  readonly providers?: readonly ProviderSettings[];
  readonly access?: Omit<BearerAccessOptions, 'issuer' | 'introspection' | 'signIn'> & {
    readonly mode?: AccessMode;
    readonly issuer?: string;
    readonly introspection?: RegistrationSettings;
    readonly signIn?: RegistrationSettings;
  };
  readonly cluster?: {
    readonly url?: string;
    readonly sentinels?: string[];
    readonly sentinelName?: string;
    readonly username?: string;
    readonly password?: string;
    readonly passwordFile?: string;
    readonly sentinelPassword?: string;
    readonly sentinelPasswordFile?: string;
    readonly namespace?: string;
    readonly keys?: string[];
    readonly keysFile?: string;
  };
  readonly branding?: Branding;
  readonly elicitation?: 'auto' | 'never';
  readonly dispatch?: 'direct' | 'sdk';
  readonly hibernate?: boolean;
  readonly allowedHosts?: string[];
  readonly allowedOrigins?: string[];
  readonly trustedProxies?: string[];
  readonly lifetimes?: {
    readonly idleSeconds?: number;
    readonly absoluteSeconds?: number;
    readonly disconnectGraceSeconds?: number;
    readonly loginAttemptSeconds?: number;
    readonly connectionTtlSeconds?: number;
    readonly shutdownDrainSeconds?: number;
  };
  readonly limits?: Partial<Limits>;
  readonly listen?: { readonly host?: string; readonly port?: number; readonly keepAliveSeconds?: number };
  readonly metrics?: { readonly host?: string; readonly port?: number };
  readonly stdio?: {
    readonly openBrowser?: boolean;
    readonly callbackPort?: number;
    readonly callbackHost?: (typeof CALLBACK_HOSTS)[number];
  };
  readonly logLevel?: LogLevel;
  readonly allowDebugging?: boolean;
  readonly demo?: {
    readonly identityProviderPort?: number;
    readonly apiPort?: number;
    readonly accessTokenSeconds?: number;
    readonly deviceFlow?: DeviceFlow;
  };
}

const MAX_SESSIONS = 1_000_000;
const DAY_SECONDS = 24 * 60 * 60;
const YEAR_SECONDS = 365 * DAY_SECONDS;

const HTTP = { protocol: /^https?$/ };
const text = z.string('must be text').min(1, 'must not be empty');
const texts = z.array(text, 'must be a list of texts');
const truth = z.boolean('must be true or false');
const port = wholeNumber('a port from 0 to 65535', 0, 65_535);
const seconds = wholeNumber('a whole number of seconds, at least 1', 1, YEAR_SECONDS);
const secondsOrNone = wholeNumber('a whole number of seconds', 0, YEAR_SECONDS);
const count = wholeNumber('a whole number, at least 1', 1, Number.MAX_SAFE_INTEGER);
const sessions = wholeNumber('a whole number from 1 to 1000000', 1, MAX_SESSIONS);

const limit = (description: string, defaultValue: number, of: z.ZodInt = count) =>
  setting(of, { description, default: defaultValue, link: 'limits.md' });

function registration(prefix: string, purpose: string) {
  return {
    clientId: setting(text, {
      description: `the client id of this server ${purpose}`,
      variable: `${prefix}_CLIENT_ID`,
    }),
    clientSecret: setting(text, {
      description: `the client secret of this server ${purpose}`,
      variable: `${prefix}_CLIENT_SECRET`,
      isSecret: true,
      group: `${prefix} clientSecret`,
    }),
    clientSecretFile: setting(text, {
      description: 'a file that contains that client secret',
      variable: `${prefix}_CLIENT_SECRET_FILE`,
      isPath: true,
      group: `${prefix} clientSecret`,
    }),
  };
}

const listen = section(
  {
    host: setting(
      z.string('must be an address of this machine').min(1, 'must be an address of this machine'),
      {
        description: 'the address to bind. Others than loopback need a real provider',
        default: '127.0.0.1',
        variable: 'LISTEN_HOST',
        flag: 'host',
        placeholder: 'address',
      },
    ),
    port: setting(port, {
      description: 'the port. 0: any free port',
      default: 3000,
      variable: 'LISTEN_PORT',
      flag: 'port',
      placeholder: 'port',
    }),
    keepAliveSeconds: setting(wholeNumber('a whole number of seconds from 1 to 86400', 1, DAY_SECONDS), {
      description:
        'how long an idle network connection stays open. Set it longer than the idle timeout of the load balancer',
      default: 65,
      variable: 'KEEP_ALIVE_SECONDS',
      flag: 'keep-alive-seconds',
    }),
  } satisfies Record<keyof NonNullable<Settings['listen']>, z.ZodType>,
  { description: 'The address over HTTP' },
);

const metrics = section(
  {
    port: setting(port, {
      description: 'serve `/metrics` for Prometheus on this port. 0: any free port',
      defaultText: 'no metrics',
      variable: 'METRICS_PORT',
      flag: 'metrics-port',
      placeholder: 'port',
    }),
    host: setting(
      z.string('must be an address of this machine').min(1, 'must be an address of this machine'),
      {
        description: 'the address to bind. Nothing authenticates the reader of metrics',
        default: '127.0.0.1',
        variable: 'METRICS_HOST',
        flag: 'metrics-host',
        placeholder: 'address',
      },
    ),
  } satisfies Record<keyof NonNullable<Settings['metrics']>, z.ZodType>,
  { description: 'Metrics for Prometheus, on a port of their own', link: 'operations.md#metrics' },
);

const access = section(
  {
    mode: setting(z.enum(ACCESS_MODES, `must be one of ${ACCESS_MODES.join(', ')}`), {
      description:
        '`open`: clients on this machine; `bearer`: clients with an access token; `open-to-network`: every client, from any machine',
      defaultText: '`bearer` if `access.issuer` is set, else `open`',
      variable: 'ACCESS',
      flag: 'access',
      link: 'configuration.md#access',
    }),
    issuer: setting(z.url({ ...HTTP, error: 'must be the URL of an issuer' }), {
      description: 'the issuer identifier of the authorization server of the clients',
      variable: 'ACCESS_ISSUER',
    }),
    audience: setting(text, {
      description: 'the audience of its tokens',
      defaultText: 'the URL of the endpoint',
      variable: 'ACCESS_AUDIENCE',
    }),
    clientIds: setting(texts, {
      description:
        'ids of clients whose tokens are accepted. Their tokens need no audience if they have `token_use: access` (Amazon Cognito)',
      defaultText: 'all clients',
      variable: 'ACCESS_CLIENT_IDS',
    }),
    requiredScopes: setting(texts, {
      description: 'scopes that every token needs',
      defaultText: 'none',
      variable: 'ACCESS_SCOPES',
    }),
    subjectClaim: setting(text, {
      description: 'the claim that identifies the user',
      default: 'sub',
      variable: 'ACCESS_SUBJECT_CLAIM',
    }),
    sessionClaim: setting(text, {
      description:
        'a claim that differs between sign-ins of a user, such as `sid`: each value has its own session',
      defaultText: 'one session for each user and client',
      variable: 'ACCESS_SESSION_CLAIM',
    }),
    sessionPerConnection: setting(truth, {
      description: '`true`: each 2025 connection has its own session',
      default: false,
      variable: 'ACCESS_SESSION_PER_CONNECTION',
    }),
    introspection: section(registration('INTROSPECTION', 'to introspect opaque tokens'), {
      description: 'The credentials of this server to introspect opaque tokens (RFC 7662)',
    }),
    signIn: section(registration('SIGN_IN', 'to sign in browsers there'), {
      description:
        'The registration of this server at the authorization server of the clients, with the redirect URI `/login/sign-in`: a login at another provider begins with a sign-in, so that the user who starts the login also finishes it',
    }),
  } satisfies Record<keyof NonNullable<Settings['access']>, z.ZodType>,
  { description: 'Which clients are accepted' },
);

const lifetimes = section(
  {
    idleSeconds: setting(seconds, {
      description: 'sign out after this time without a request',
      default: 1800,
      variable: 'IDLE_SECONDS',
      flag: 'idle-seconds',
    }),
    absoluteSeconds: setting(seconds, {
      description: 'sign out this time after the login',
      default: 43_200,
      variable: 'ABSOLUTE_SECONDS',
      flag: 'absolute-seconds',
    }),
    disconnectGraceSeconds: setting(secondsOrNone, {
      description: 'sign out this time after the client has disconnected. 0: at once',
      default: 120,
      variable: 'GRACE_SECONDS',
      flag: 'grace-seconds',
    }),
    loginAttemptSeconds: setting(seconds, {
      description: 'a started login expires after this time',
      default: 600,
      variable: 'LOGIN_ATTEMPT_SECONDS',
    }),
    connectionTtlSeconds: setting(seconds, {
      description: 'an id without requests and streams becomes unknown after this time',
      default: 86_400,
      variable: 'CONNECTION_TTL_SECONDS',
    }),
    shutdownDrainSeconds: setting(secondsOrNone, {
      description:
        'when stopping, the time for calls in flight to finish, and then again for revocations. With `--stdio`, the default is 1',
      default: 10,
      variable: 'DRAIN_SECONDS',
      flag: 'drain-seconds',
    }),
  } satisfies Record<keyof NonNullable<Settings['lifetimes']>, z.ZodType>,
  { description: 'Lifetimes of logins and sessions', link: 'configuration.md#lifetimes' },
);

const limits = section(
  {
    maxSessions: setting(sessions, {
      description: 'sessions of this node',
      default: 10_000,
      flag: 'max-sessions',
      link: 'limits.md',
    }),
    anonymousSessions: limit('sessions without a login, or 15 % of `maxSessions` if that is more', 1500),
    anonymousSessionsPerAddress: limit('sessions of one address that never had a login', 1000),
    sessionsPerAccount: limit('sessions with a login of one account', 100),
    loginStartsPerMinute: limit('logins that one address starts in a minute', 600),
    loginStartsPerUserPerMinute: limit('logins that one user starts in a minute, with bearer access', 60),
    invalidLoginRequestsPerMinute: limit(
      'invalid requests for login pages from one address in a minute',
      300,
    ),
    refusedTokensPerMinute: limit('invalid access tokens from one address in a minute', 600),
    pendingLogins: limit('logins that have started and not ended', 1000),
    connectionsPerUser: limit('2025 connections of one user through one client, with bearer access', 10),
    connections: limit('network connections, or twice `maxSessions` if that is more', 20_000),
    connectionsPerAddress: limit('network connections of one address, except trusted proxies', 4000),
    toolArgumentElements: limit('array elements and object keys in the arguments of one tool call', 16_000),
  } satisfies Record<keyof Limits, z.ZodType>,
  {
    description: 'Limits for clients. The variable contains several as JSON, such as `{"pendingLogins":20}`',
    variable: 'LIMITS',
    link: 'limits.md',
  },
);

const cluster = section(
  {
    url: setting(text, {
      description:
        'Redis or Valkey: `redis://host:port`, or `rediss://` with TLS. With `user:password@` only in the variable',
      variable: 'REDIS_URL',
    }),
    sentinels: setting(texts, {
      description: 'instead of the URL, its sentinels, as `host:port`',
      variable: 'REDIS_SENTINELS',
    }),
    sentinelName: setting(text, {
      description: 'the name of the primary at the sentinels',
      variable: 'REDIS_SENTINEL_NAME',
    }),
    username: setting(text, {
      description: 'the user of the engine behind sentinels',
      variable: 'REDIS_USERNAME',
    }),
    password: setting(text, {
      description: 'its password',
      variable: 'REDIS_PASSWORD',
      isSecret: true,
      group: 'password',
    }),
    passwordFile: setting(text, {
      description: 'a file that contains that password',
      variable: 'REDIS_PASSWORD_FILE',
      isPath: true,
      group: 'password',
    }),
    sentinelPassword: setting(text, {
      description: 'the password of the sentinels themselves',
      variable: 'REDIS_SENTINEL_PASSWORD',
      isSecret: true,
      group: 'sentinelPassword',
    }),
    sentinelPasswordFile: setting(text, {
      description: 'a file that contains the password of the sentinels',
      variable: 'REDIS_SENTINEL_PASSWORD_FILE',
      isPath: true,
      group: 'sentinelPassword',
    }),
    namespace: setting(text, {
      description: 'tells several clusters in one engine apart',
      default: 'ms',
      variable: 'REDIS_NAMESPACE',
    }),
    keys: setting(texts, {
      description: 'the master keys themselves, the newest first',
      variable: 'MASTER_KEYS',
      isSecret: true,
      group: 'keys',
    }),
    keysFile: setting(text, {
      description: 'a file with the master keys, the newest first, from `keygen`; readable by its owner only',
      variable: 'MASTER_KEYS_FILE',
      isPath: true,
      group: 'keys',
    }),
  } satisfies Record<keyof NonNullable<Settings['cluster']>, z.ZodType>,
  { description: 'The engine of several servers that share their sessions', link: 'cluster.md' },
);

/** The one description of the configuration: files, variables, flags, `--help` and the documentation follow from it. */
export const settingsSchema: z.ZodObject = z.strictObject({
  publicUrl: setting(z.url({ ...HTTP, error: 'must be a URL' }), {
    description:
      'the URL at which browsers and clients reach this server, with its path. https, except on loopback',
    defaultText: 'the address to listen on',
    variable: 'PUBLIC_URL',
    link: 'deployment.md#below-a-path',
  }),
  tools: setting(z.string('must name a module').min(1, 'must name a module'), {
    description:
      'your tools: a module whose default export is a function `(server, context) => void` that registers them',
    defaultText: "the demo's notes tools",
    variable: 'TOOLS',
    flag: 'tools',
    placeholder: 'module',
    isPath: true,
  }),
  providers: setting(z.array(providerSchema, 'must be a list of providers').min(1, 'must not be empty'), {
    description:
      'Where users log in. The first is the default. The variables and flags are those of the only provider',
    link: 'configuration.md#providers',
  }),
  access,
  listen,
  cluster,
  trustedProxies: setting(texts, {
    description:
      'the proxies in front, as addresses or ranges such as 10.0.0.0/8: their X-Forwarded-For contains the address of the client',
    defaultText: 'none',
    variable: 'TRUSTED_PROXIES',
    link: 'limits.md#client-addresses',
  }),
  allowedHosts: setting(texts, {
    description: 'further host names of this server',
    defaultText: 'none',
    variable: 'ALLOWED_HOSTS',
    link: 'deployment.md#hosts-and-origins',
  }),
  allowedOrigins: setting(texts, {
    description:
      'origins of pages that may call this server, such as https://app.example.com or vscode-webview://…',
    defaultText: "none; in the demo, the MCP Inspector's",
    variable: 'ALLOWED_ORIGINS',
    link: 'deployment.md#hosts-and-origins',
  }),
  branding: section(
    {
      name: setting(text.max(80, 'must be at most 80 characters long'), {
        description: 'the name of this server on the pages of a login',
        variable: 'DISPLAY_NAME',
      }),
      logo: setting(
        z
          .string('must be the path of a file')
          .regex(/[.](png|svg|webp)$/i, 'must be the path of a .png, .svg or .webp file'),
        {
          description: 'the path of a logo: a PNG, SVG or WebP file of at most 64 KiB',
          defaultText: 'none',
          variable: 'LOGO',
          isPath: true,
        },
      ),
    } satisfies Record<keyof Branding, z.ZodType>,
    { description: 'Name and logo on the pages of a login', link: 'login.md#your-name-and-logo' },
  ),
  elicitation: setting(z.enum(['auto', 'never'], 'must be one of auto, never'), {
    description:
      '`auto`: ask clients that declare URL elicitation to open the link of a login; `never`: the model shows the link',
    default: 'auto',
    variable: 'ELICITATION',
    flag: 'elicitation',
    link: 'login.md#the-client-opens-the-link',
  }),
  dispatch: setting(z.enum(['direct', 'sdk'], 'must be one of direct, sdk'), {
    description:
      '`direct`: call tools without the dispatch of the MCP SDK where the answer is the same; `sdk`: never',
    default: 'direct',
    variable: 'DISPATCH',
    flag: 'dispatch',
    link: 'adr/0020-the-plain-lane-and-direct-dispatch.md',
  }),
  hibernate: setting(truth, {
    description:
      'drop the server object of a 2025 connection that was not used for half a minute, and run the function of `tools` again for its next request. `--no-hibernate`: keep it, for a function that keeps state in its variables',
    default: true,
    variable: 'HIBERNATE',
    flag: 'no-hibernate',
    flagSets: false,
    link: 'tools.md#connections-that-hibernate',
  }),
  lifetimes,
  limits,
  metrics,
  stdio: section(
    {
      openBrowser: setting(truth, {
        description: 'with `--stdio`: open a browser for logins. `--no-browser`: do not',
        default: true,
        variable: 'OPEN_BROWSER',
        flag: 'no-browser',
        flagSets: false,
      }),
      callbackPort: setting(wholeNumber('a port from 1 to 65535', 1, 65_535), {
        description: 'with `--stdio`: the port of the redirect URI',
        defaultText: 'any free port',
        variable: 'CALLBACK_PORT',
        flag: 'callback-port',
        placeholder: 'port',
      }),
      callbackHost: setting(z.enum(CALLBACK_HOSTS, `must be one of ${CALLBACK_HOSTS.join(', ')}`), {
        description: 'with `--stdio`: the host of the redirect URI',
        default: '127.0.0.1',
        variable: 'CALLBACK_HOST',
        flag: 'callback-host',
      }),
    } satisfies Record<keyof NonNullable<Settings['stdio']>, z.ZodType>,
    { description: 'Serving the client that starts the process' },
  ),
  logLevel: setting(z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`), {
    description: '`silent`, `error`, `warn`, `info` or `debug`. Logs go to stderr',
    default: 'warn',
    variable: 'LOG_LEVEL',
    flag: 'log-level',
    placeholder: 'level',
  }),
  allowDebugging: setting(truth, {
    description: 'start although an option such as `--inspect` exposes tokens',
    default: false,
    variable: 'ALLOW_DEBUGGING',
    flag: 'allow-debugging',
    link: 'memory.md',
  }),
  demo: section(
    {
      identityProviderPort: setting(port, {
        description:
          'the port of the embedded identity provider. With `--stdio`, the default is any free port',
        default: 3001,
        variable: 'DEMO_IDP_PORT',
        flag: 'idp-port',
        placeholder: 'port',
      }),
      apiPort: setting(port, {
        description: 'the port of the embedded notes API. With `--stdio`, the default is any free port',
        default: 3002,
        variable: 'DEMO_API_PORT',
        flag: 'api-port',
        placeholder: 'port',
      }),
      accessTokenSeconds: setting(seconds, {
        description: "the lifetime of the embedded provider's access tokens",
        default: 120,
        variable: 'DEMO_ACCESS_TOKEN_SECONDS',
        flag: 'access-token-seconds',
      }),
      deviceFlow: setting(oneOf(...DEVICE_FLOWS), {
        description:
          '`allowed`: users of the embedded provider may log in with a code instead of a link; `only`: they have to',
        defaultText: 'off',
        variable: 'DEMO_DEVICE_FLOW',
        flag: 'device-flow',
        placeholder: 'allowed|only',
        link: 'login.md#the-device-flow',
      }),
    } satisfies Record<keyof NonNullable<Settings['demo']>, z.ZodType>,
    { description: 'The embedded identity provider and notes API, to try the server out' },
  ),
} satisfies Record<keyof Settings, z.ZodType>);
