import { z } from 'zod';
import { type AccessSettings, accessSettings, isBearer } from '../access/access-options.js';
import { SessionError } from '../errors.js';
import { allowedHostsSchema, allowedOriginsSchema } from '../http/allow-lists.js';
import { TrustedProxies } from '../http/client-address.js';
import { DEFAULT_LIMITS, type Limits, limitsSchema } from '../limits/limits.js';
import { type Brand, brandingSchema } from '../login/pages/branding.js';
import type { RegisterTools, ServerInfo } from '../mcp/server/factory.js';
import type { Elicitation } from '../mcp/tools/login/elicitation-policy.js';
import type { Logger } from '../observe/logger.js';
import { omitUndefined } from '../omit-undefined.js';
import { parseOptions } from '../parse-options.js';
import { type ProviderSettings, providerSettings } from '../provider/provider-settings.js';
import { sharedClientKey } from '../provider/shared-client-key.js';
import { isLoopbackHost, isSecureUrl } from '../secure-url.js';
import { DEFAULT_LIFETIMES, type Lifetimes } from '../session/lifetimes.js';
import type { Cluster } from '../store/cluster.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';
import { openToNetwork } from './listen-rules.js';
import type { Dispatch, Runtime, SessionsOptions } from './options.js';

/** The validated options, with all defaults. */
export interface SessionsSettings extends Pick<SessionsOptions, 'server' | 'tools'> {
  readonly brand: Brand;
  readonly lifetimes: Lifetimes;
  readonly limits: Limits;
  readonly trustedProxies: TrustedProxies;
  /** The first is the default. */
  readonly providers: readonly [ProviderSettings, ...ProviderSettings[]];
  readonly publicUrl: URL | undefined;
  readonly access: AccessSettings;
  readonly elicitation: Elicitation;
  readonly dispatch: Dispatch;
  readonly hibernate: boolean;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

/** One stream and one call at a time. */
const CONNECTIONS_PER_SESSION = 2;

/** A path of unreserved characters (RFC 3986 section 2.3), which are never percent-encoded. */
const PLAIN_PATH = /^\/([\w.~-]+\/)*[\w.~-]*$/;

const positive = z.number().positive();
const anything = z.custom<NonNullable<unknown>>().optional();
/** For what the SDK or the author's code validates. */
const unchecked = z.unknown().optional();

const serverSchema = z.strictObject({
  name: z.string().min(1),
  version: z.string(),
  title: z.string().optional(),
  description: unchecked,
  icons: unchecked,
  websiteUrl: unchecked,
  instructions: z.string().optional(),
  capabilities: unchecked,
  requestState: unchecked,
} satisfies Record<keyof ServerInfo, z.ZodType>);

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  const methods = value as Readonly<Record<string, unknown>> | null | undefined;
  return names.every((name) => isFunction(methods?.[name]));
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies (keyof Logger)[];
// A logger is often an instance of a class.
const loggerSchema = z.custom<Logger>(
  (value) => hasMethods(value, LOG_LEVELS),
  `must have the methods ${LOG_LEVELS.join(', ')}`,
);

const lifetimesSchema = z.strictObject({
  idleMs: positive,
  absoluteMs: positive,
  disconnectGraceMs: z.number().nonnegative(),
  loginAttemptMs: positive,
  connectionTtlMs: positive,
  shutdownDrainMs: z.number().nonnegative(),
} satisfies Record<keyof Lifetimes, z.ZodType>);

const runtimeSchema = z.strictObject({
  clock: z
    .custom<Clock>((value) => hasMethods(value, ['now', 'after']), 'must have the methods now, after')
    .optional(),
  random: z.custom<RandomSource>(isFunction, 'must be a function').optional(),
  fetch: z.custom<typeof fetch>(isFunction, 'must be a function').optional(),
} satisfies Record<keyof Runtime, z.ZodType>);

const schema = z.strictObject({
  server: serverSchema,
  branding: brandingSchema.default({}),
  tools: z.custom<RegisterTools>(isFunction, 'must be a function'),
  // These are validated below.
  providers: z.custom<NonNullable<unknown>>((value) => value != null, 'is missing; add a provider'),
  publicUrl: anything,
  access: anything,
  trustedProxies: anything,
  elicitation: z.enum(['auto', 'never']).default('auto'),
  dispatch: z.enum(['direct', 'sdk']).default('direct'),
  hibernate: z.boolean().default(true),
  allowedHosts: allowedHostsSchema.default([]),
  allowedOrigins: allowedOriginsSchema.default([]),
  lifetimes: lifetimesSchema.partial().default({}),
  limits: limitsSchema.partial().default({}),
  cluster: z
    .custom<Cluster>((value) => hasMethods(value, ['join']), 'must be made by `redisCluster`')
    .optional(),
  logger: loggerSchema.optional(),
  allowDebugging: z.boolean().optional(),
  runtime: runtimeSchema.optional(),
} satisfies Record<keyof SessionsOptions, z.ZodType>);

/**
 * Validates the options.
 * @throws SessionError `configuration`, naming what is invalid
 */
export function sessionsSettings(options: SessionsOptions): SessionsSettings {
  const { tools, branding, lifetimes, limits, ...rest } = parseOptions(
    schema,
    options,
    'The options are invalid',
  );
  const { server } = options;
  const settings: SessionsSettings = {
    server,
    tools,
    brand: { name: branding.name ?? server.title ?? server.name, logo: branding.logo },
    lifetimes: { ...DEFAULT_LIFETIMES, ...omitUndefined(lifetimes) },
    limits: { ...defaultLimits(limits.maxSessions), ...omitUndefined(limits) },
    elicitation: rest.elicitation,
    dispatch: rest.dispatch,
    hibernate: rest.hibernate,
    allowedHosts: rest.allowedHosts,
    allowedOrigins: rest.allowedOrigins,
    trustedProxies: new TrustedProxies(options.trustedProxies ?? []),
    providers: parseProviders(options),
    publicUrl: options.publicUrl === undefined ? undefined : parsePublicUrl(options.publicUrl),
    access: accessSettings(options.access),
  };
  assertAccessFits(settings);
  return settings;
}

function defaultLimits(maxSessions: number = DEFAULT_LIMITS.maxSessions): Limits {
  const connections = Math.max(DEFAULT_LIMITS.connections, CONNECTIONS_PER_SESSION * maxSessions);
  const anonymousSessions = Math.max(DEFAULT_LIMITS.anonymousSessions, Math.floor(maxSessions * 0.15));
  return { ...DEFAULT_LIMITS, connections, anonymousSessions };
}

function assertAccessFits({ access, publicUrl, providers }: SessionsSettings): void {
  if (access === 'open' && publicUrl && !isLoopbackHost(publicUrl.hostname))
    throw openToNetwork(publicUrl.host);
  if (!isBearer(access)) return;
  const almost = providers.find(
    ({ issuer }) => issuer !== access.issuer && withoutSlash(issuer) === withoutSlash(access.issuer),
  );
  if (almost) {
    throw new SessionError(
      'configuration',
      `The issuers "${almost.issuer}" and "${access.issuer}" differ by a slash. Write both exactly as the issuer does in its metadata.`,
    );
  }
  const blind = providers.find((each) => each.issuer === access.issuer && !hasBoundIdToken(each));
  if (!blind) return;
  throw new SessionError(
    'configuration',
    `The provider "${blind.name}" also issues the access tokens of clients. Add the scope \`openid\`, and leave out \`identitySource\` and \`nonce\`: only an ID token of that login shows that both belong to the same user.`,
  );
}

/** Whether an ID token with the nonce of the login identifies the user. */
function hasBoundIdToken({ scopes, nonce, identitySource = 'id_token' }: ProviderSettings): boolean {
  return scopes.includes('openid') && nonce === 'required' && identitySource === 'id_token';
}

function withoutSlash(issuer: string): string {
  return issuer.replace(/\/$/, '');
}

function parseProviders(options: SessionsOptions): SessionsSettings['providers'] {
  const given = [options.providers].flat();
  const [first, ...others] = given.map((each, index) =>
    providerSettings(each, given.length > 1 ? `providers[${index}]` : undefined),
  );
  if (!first) throw new SessionError('configuration', '`providers` is empty. Add a provider.');
  const names = [first, ...others].map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new SessionError(
      'configuration',
      `Two providers have the name "${twice}". Give each a different \`name\`.`,
    );
  }
  const sharing = sharedClientKey([first, ...others]);
  if (sharing) {
    throw new SessionError(
      'configuration',
      `The providers "${sharing.join('" and "')}" have the same \`clientKey\`, and one could use the assertions of this server at the other. Generate a key for each, or leave out \`clientAssertion.audience\` at both.`,
    );
  }
  return [first, ...others];
}

function parsePublicUrl(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isPlain = url && PLAIN_PATH.test(url.pathname) && !url.search && !url.hash && !url.username;
  if (!url || !isSecureUrl(url) || !isPlain) {
    throw new SessionError(
      'configuration',
      `"${value}" is not a valid \`publicUrl\`. Use https://host[:port], and the path that this server is mounted at, if there is one. http is allowed on loopback only.`,
    );
  }
  // Links are relative to the public URL.
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}
