import type { ProviderOptions } from 'mcp-sessions';
import { PRESETS, type PresetName } from 'mcp-sessions/providers';
import { z } from 'zod';
import { ConfigurationError } from './configuration-error.js';
import { DEVICE_FLOWS } from './flags.js';
import { checkVariables, givenVariables, json, PREFIX, words } from './variables.js';

/** The operator's provider, and the addresses of this server. */
export interface OperatorProvider {
  /** Absent fields have the library's defaults. */
  readonly provider: ProviderOptions;
  /** The URL at which browsers reach this server. Absent: its address on loopback. */
  readonly publicUrl?: string | undefined;
  /** The proxies in front of this server. */
  readonly trustedProxies?: string[] | undefined;
}

const HTTP = { protocol: /^https?$/ };

const NOT_STRINGS = 'must be a JSON object whose values are strings';

const origin = z
  .url({ ...HTTP, error: 'must be origins, such as https://api.example.com', abort: true })
  .transform((value) => new URL(value))
  .refine(
    ({ href, origin }) => href === `${origin}/`,
    'must be origins: scheme, host and port, without a path',
  )
  .transform(({ origin }) => origin);

/** Values with spaces, such as `User Access Token`. */
const commaSeparated = z.string().transform((value) =>
  value
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean),
);

const SEPARATORS = { space: ' ', comma: ',' } as const;

/** Options that no variable has: there is one provider, and a function is no text. */
type Elsewhere = 'name' | 'revoke';

/** The options of the provider, by their names in the library, which checks them further. */
const providerSchema = z.object({
  issuer: z.url({ ...HTTP, error: 'must be the URL of an issuer' }).optional(),
  displayName: z.string().optional(),
  endpoints: objectOf<'endpoints'>(),
  clientId: z.string('is missing. Set it to the client id of this server at the provider'),
  clientSecret: z.string().optional(),
  clientKey: json.pipe(z.looseObject({}, 'must be a JSON Web Key')).optional(),
  clientAssertion: objectOf<'clientAssertion'>(),
  clientAuthentication: oneOf(
    'client_secret_basic',
    'client_secret_basic_raw',
    'client_secret_post',
    'private_key_jwt',
    'none',
  ),
  scopes: words.optional(),
  scopeSeparator: z
    .enum(['space', 'comma'], 'must be space or comma')
    .transform((name) => SEPARATORS[name])
    .optional(),
  scopeParameter: z.string().optional(),
  authorizationParams: json.pipe(z.record(z.string(), z.string(NOT_STRINGS), NOT_STRINGS)).optional(),
  resource: words.optional(),
  pushedAuthorization: z
    .literal('true', 'must be true, or not set')
    .transform(() => true)
    .optional(),
  responseMode: oneOf('query', 'form_post'),
  deviceFlow: oneOf(...DEVICE_FLOWS),
  pkce: oneOf('S256', 'off'),
  nonce: oneOf('required', 'off'),
  idTokenAlgorithms: words.optional(),
  idTokenAudiences: words.optional(),
  clockToleranceSeconds: z
    .string()
    .regex(/^\d{1,4}$/, 'must be a whole number of seconds')
    .transform(Number)
    .optional(),
  tokenTypes: commaSeparated.optional(),
  tokensAt: z.string().optional(),
  tokenFields: words.optional(),
  callbackFields: words.optional(),
  identitySource: oneOf('id_token', 'user_info', 'token_response'),
  identityFields: objectOf<'identityFields'>(),
  userInfoRequest: objectOf<'userInfoRequest'>(),
  apiOrigins: words.pipe(z.array(origin)).optional(),
  apiOriginField: objectOf<'apiOriginField'>(),
  revocation: oneOf('token', 'grant', 'none'),
  revocationRequest: objectOf<'revocationRequest'>(),
} satisfies Record<Exclude<keyof ProviderOptions, Elsewhere>, z.ZodType>);

const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];

const otherSchema = z.object({
  preset: z.enum(PRESET_NAMES, `must be one of ${PRESET_NAMES.join(', ')}, or not set`).optional(),
  publicUrl: z.url({ ...HTTP, error: 'must be a URL' }).optional(),
  trustedProxies: words.optional(),
});

const schema = z.object({ ...providerSchema.shape, ...otherSchema.shape });

/** The variables that have another name than their option. `MCP_SESSIONS_DISPLAY_NAME` is the name of this server. */
const NAMES: Readonly<Record<string, string>> = {
  preset: 'PROVIDER',
  displayName: 'PROVIDER_DISPLAY_NAME',
};

/** The variable of an option of the provider; what is no option stays, such as `NODE_EXTRA_CA_CERTS`. */
export function variableOf(option: string): string {
  if (!/^[a-z][a-zA-Z]*$/.test(option)) return option;
  return PREFIX + (NAMES[option] ?? option.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
}

/** An option in a text, which may have a value: `` `pkce: 'S256'` ``. */
const OPTION = /`([a-z]\w*)(?:: '(\w+)')?`/gi;

/** A text of the library with the variables in place of the options of the provider. */
export function withVariables(text: string): string {
  return text.replaceAll(OPTION, (quoted, option: string, value?: string) => {
    if (!Object.hasOwn(providerSchema.shape, option)) return quoted;
    return value === undefined ? variableOf(option) : `${variableOf(option)}=${value}`;
  });
}

/**
 * Reads the provider from the `MCP_SESSIONS_` variables. Empty variables count as not set.
 *
 * @returns `undefined` if none is set
 * @throws ConfigurationError for invalid values, and if variables are set without the issuer
 */
export function parseEnvironment(environment: NodeJS.ProcessEnv): OperatorProvider | undefined {
  const given = givenVariables(environment, schema, variableOf);
  const [first] = Object.keys(given);
  if (first === undefined) return undefined;
  if (!given.issuer && !given.preset) {
    // The embedded provider would let every user log in under any name.
    throw new ConfigurationError(
      `${variableOf(first)} is set but ${PREFIX}ISSUER is not. Set it, or ${PREFIX}PROVIDER for a provider with a preset, or unset ${variableOf(first)}.`,
    );
  }
  const { preset, publicUrl, trustedProxies, ...options } = checkVariables(schema, given, variableOf);
  if (preset) assertComplete(preset, options);
  return {
    // Without an issuer there is a preset, which has one.
    provider: { ...(preset && PRESETS[preset].options), ...options } as ProviderOptions,
    publicUrl,
    trustedProxies,
  };
}

function assertComplete(preset: PresetName, options: Omit<ProviderOptions, 'issuer'>): void {
  const { needs, issuerForm } = PRESETS[preset];
  const missing = needs.find((option) => !(option in options));
  if (missing === undefined) return;
  const value = missing === 'issuer' ? `, such as ${issuerForm}` : '';
  throw new ConfigurationError(`${PREFIX}PROVIDER=${preset} needs ${variableOf(missing)}${value}. Set it.`);
}

function oneOf<const T extends readonly string[]>(...values: T) {
  return z.enum(values, `must be one of ${values.join(', ')}, or not set`).optional();
}

/** A variable whose value is a JSON object. The library checks its fields. */
function objectOf<Option extends keyof ProviderOptions>() {
  return json
    .pipe(z.looseObject({}, 'must be a JSON object'))
    .transform((value) => value as ProviderOptions[Option])
    .optional();
}
