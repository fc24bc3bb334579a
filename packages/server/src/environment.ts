import { z } from 'zod';
import { ConfigurationError, configurationError } from './configuration-error.js';

/** A provider and APIs that the operator runs or uses, instead of the embedded ones. */
export interface OperatorProvider {
  /** Issuer identifier, from which the library discovers the rest. */
  readonly issuer: string;
  readonly clientId: string;
  /** Absent: a public client. */
  readonly clientSecret?: string | undefined;
  /** Absent: what the library asks for by default. */
  readonly scopes?: string[] | undefined;
  readonly authorizationParams?: Record<string, string> | undefined;
  /** Where tools may send the caller's access token. */
  readonly apiOrigins: string[];
  /** Where browsers reach this server. Absent: its address on loopback. */
  readonly publicUrl?: string | undefined;
}

const PREFIX = 'MCP_SESSIONS_';
const HTTP = { protocol: /^https?$/ };

const NOT_STRINGS = 'must be a JSON object whose values are strings';

const words = z.string().transform((value) => value.split(/[\s,]+/).filter(Boolean));

const json = z.string().transform((value, context): unknown => {
  try {
    return JSON.parse(value);
  } catch {
    context.addIssue('is not JSON');
    return z.NEVER;
  }
});

const origin = z
  .url({ ...HTTP, error: 'must be origins, such as https://api.example.com', abort: true })
  .transform((value) => new URL(value))
  .refine(
    ({ href, origin }) => href === `${origin}/`,
    'must be origins: scheme, host and port, without a path',
  )
  .transform(({ origin }) => origin);

const schema = z.object({
  ISSUER: z.url({ ...HTTP, error: 'must be the URL of an issuer' }),
  CLIENT_ID: z.string('is missing: set it to the client id the provider gave this server'),
  CLIENT_SECRET: z.string().optional(),
  SCOPES: words.optional(),
  AUTHORIZATION_PARAMS: json.pipe(z.record(z.string(), z.string(NOT_STRINGS), NOT_STRINGS)).optional(),
  API_ORIGINS: words.pipe(z.array(origin)).default([]),
  PUBLIC_URL: z.url({ ...HTTP, error: 'must be a URL' }).optional(),
});

/**
 * Reads the `MCP_SESSIONS_` variables. Empty ones count as not set.
 *
 * @returns `undefined` when none is set
 * @throws ConfigurationError for wrong values, and when the issuer is missing while others are set
 */
export function parseEnvironment(environment: NodeJS.ProcessEnv): OperatorProvider | undefined {
  const given = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => {
      const value = environment[PREFIX + name]?.trim();
      return value ? [[name, value]] : [];
    }),
  );
  const [first] = Object.keys(given);
  if (first === undefined) return undefined;
  if (!given.ISSUER) {
    // Going on would start a server that lets anybody log in as anybody.
    throw new ConfigurationError(
      `${PREFIX}${first} is set but ${PREFIX}ISSUER is not. Set it, or unset both.`,
    );
  }
  const { data, error } = schema.safeParse(given);
  if (error) throw configurationError(error, (name) => PREFIX + name);
  return {
    issuer: data.ISSUER,
    clientId: data.CLIENT_ID,
    clientSecret: data.CLIENT_SECRET,
    scopes: data.SCOPES,
    authorizationParams: data.AUTHORIZATION_PARAMS,
    apiOrigins: data.API_ORIGINS,
    publicUrl: data.PUBLIC_URL,
  };
}
