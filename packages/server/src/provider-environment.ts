import type { ProviderOptions } from 'mcp-sessions';
import { z } from 'zod';
import { ConfigurationError } from './configuration-error.js';
import { DEVICE_FLOWS } from './flags.js';
import { checkVariables, givenVariables, json, PREFIX } from './variables.js';

/** The operator's provider, and the addresses of this server. */
export interface OperatorProvider {
  /** Absent fields have the library's defaults. */
  readonly provider: ProviderOptions;
  /** The URL at which browsers reach this server. Absent: its address on loopback. */
  readonly publicUrl?: string | undefined;
  /** The proxies in front of this server. */
  readonly trustedProxies?: string[] | undefined;
}

const CLIENT_AUTHENTICATIONS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
] as const;
const HTTP = { protocol: /^https?$/ };

const NOT_STRINGS = 'must be a JSON object whose values are strings';

const words = z.string().transform((value) => value.split(/[\s,]+/).filter(Boolean));

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
  CLIENT_ID: z.string('is missing. Set it to the client id of this server at the provider'),
  CLIENT_SECRET: z.string().optional(),
  SCOPES: words.optional(),
  CLIENT_AUTHENTICATION: z
    .enum(CLIENT_AUTHENTICATIONS, `must be one of ${CLIENT_AUTHENTICATIONS.join(', ')}`)
    .optional(),
  CLIENT_KEY: json.pipe(z.looseObject({}, 'must be a JSON Web Key')).optional(),
  ENDPOINTS: json
    .pipe(
      z.strictObject(
        {
          authorization: z.string(),
          token: z.string(),
          userInfo: z.string().optional(),
          revocation: z.string().optional(),
          deviceAuthorization: z.string().optional(),
        },
        'must be a JSON object with `authorization`, `token` and, optionally, `userInfo`, `revocation` and `deviceAuthorization`',
      ),
    )
    .optional(),
  DEVICE_FLOW: z.enum(DEVICE_FLOWS, `must be one of ${DEVICE_FLOWS.join(', ')}, or not set`).optional(),
  PROVIDER_DISPLAY_NAME: z.string().optional(),
  PKCE: z.literal('S256', 'must be S256, or not set').optional(),
  IDENTITY_FIELDS: json
    .pipe(
      z.strictObject(
        { subject: z.string(), name: z.string().optional() },
        'must be a JSON object with `subject` and, optionally, `name`',
      ),
    )
    .optional(),
  AUTHORIZATION_PARAMS: json.pipe(z.record(z.string(), z.string(NOT_STRINGS), NOT_STRINGS)).optional(),
  API_ORIGINS: words.pipe(z.array(origin)).default([]),
  PUBLIC_URL: z.url({ ...HTTP, error: 'must be a URL' }).optional(),
  TRUSTED_PROXIES: words.optional(),
});

/**
 * Reads the provider from the `MCP_SESSIONS_` variables. Empty variables count as not set.
 *
 * @returns `undefined` if none is set
 * @throws ConfigurationError for invalid values, and if variables are set without the issuer
 */
export function parseEnvironment(environment: NodeJS.ProcessEnv): OperatorProvider | undefined {
  const given = givenVariables(environment, schema);
  const [first] = Object.keys(given);
  if (first === undefined) return undefined;
  if (!given.ISSUER) {
    // The embedded provider would let every user log in under any name.
    throw new ConfigurationError(
      `${PREFIX}${first} is set but ${PREFIX}ISSUER is not. Set it, or unset both.`,
    );
  }
  const data = checkVariables(schema, given);
  return {
    provider: {
      issuer: data.ISSUER,
      displayName: data.PROVIDER_DISPLAY_NAME,
      endpoints: data.ENDPOINTS,
      clientId: data.CLIENT_ID,
      clientSecret: data.CLIENT_SECRET,
      clientKey: data.CLIENT_KEY,
      clientAuthentication: data.CLIENT_AUTHENTICATION,
      scopes: data.SCOPES,
      authorizationParams: data.AUTHORIZATION_PARAMS,
      deviceFlow: data.DEVICE_FLOW,
      pkce: data.PKCE,
      identityFields: data.IDENTITY_FIELDS,
      apiOrigins: data.API_ORIGINS,
    },
    publicUrl: data.PUBLIC_URL,
    trustedProxies: data.TRUSTED_PROXIES,
  };
}
