import type {
  ApiOriginField,
  ClientAssertionOptions,
  IdentityFields,
  ProviderEndpoints,
  ProviderOptions,
  RevocationRequest,
  UserInfoRequest,
} from 'mcp-sessions';
import { PRESETS, type PresetName } from 'mcp-sessions/providers';
import { z } from 'zod';
import { oneOf, setting, wholeNumber } from './setting.js';

/** The name of a separator, which is easier to read than the character. */
export const SEPARATORS = { space: ' ', comma: ',' } as const;

/** A provider as the operator writes it. Options that only code can give are absent. */
export interface ProviderSettings
  extends Partial<Omit<ProviderOptions, 'revoke' | 'scopeSeparator' | 'clientKey'>> {
  readonly preset?: PresetName | undefined;
  readonly scopeSeparator?: keyof typeof SEPARATORS | undefined;
  readonly clientSecretFile?: string | undefined;
  readonly clientSecretVariable?: string | undefined;
  readonly clientKey?: unknown;
  readonly clientKeyFile?: string | undefined;
  readonly clientKeyVariable?: string | undefined;
}

const HTTP = { protocol: /^https?$/ };
const PRESET_NAMES = Object.keys(PRESETS) as [PresetName, ...PresetName[]];

const text = z
  .string({ error: ({ input }) => (input === undefined ? 'is missing' : 'must be text') })
  .min(1, 'must not be empty');
const texts = z.array(text, 'must be a list of texts');
const strings = z.record(z.string(), z.string('must be text'), 'must be a group of texts');
const variable = text.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable');

const NO_ORIGIN = 'must be an origin: scheme, host and port, without a path, such as https://api.example.com';
const origin = z
  .url({ ...HTTP, error: NO_ORIGIN, abort: true })
  .refine((value) => new URL(value).href === `${new URL(value).origin}/`, { error: NO_ORIGIN, abort: true })
  .transform((value) => new URL(value).origin);

const SUBJECT = 'must be the name of a field, or a list of names';

/** One provider. The library checks the values further, and how they fit together. */
export const providerSchema: z.ZodObject = z.strictObject({
  preset: setting(z.enum(PRESET_NAMES, `must be one of ${PRESET_NAMES.join(', ')}, or not set`), {
    description: `a provider with a preset. Every other setting replaces that of the preset: ${PRESET_NAMES.join(', ')}`,
    variable: 'PROVIDER',
    link: 'providers.md',
  }),
  name: setting(text, {
    description: 'its name in the `provider` argument of `login` and in its redirect URI',
    defaultText: "the preset's, or the issuer's host",
    variable: 'PROVIDER_NAME',
  }),
  issuer: setting(z.url({ ...HTTP, error: 'must be the URL of an issuer' }), {
    description: 'its issuer identifier. Most presets have it',
    variable: 'ISSUER',
  }),
  displayName: setting(text, {
    description: 'its name on the pages of a login',
    defaultText: '`name`',
    variable: 'PROVIDER_DISPLAY_NAME',
  }),
  clientId: setting(text, {
    description: 'the client id of this server at the provider',
    variable: 'CLIENT_ID',
  }),
  clientSecret: setting(text, {
    description: 'the client secret of this server',
    defaultText: 'a public client',
    variable: 'CLIENT_SECRET',
    isSecret: true,
    group: 'clientSecret',
  }),
  clientSecretFile: setting(text, {
    description: 'a file that contains the client secret',
    variable: 'CLIENT_SECRET_FILE',
    isPath: true,
    group: 'clientSecret',
  }),
  clientSecretVariable: setting(variable, {
    description: 'an environment variable that contains the client secret, for several providers',
    group: 'clientSecret',
  }),
  clientKey: setting(z.looseObject({}, 'must be a JSON Web Key'), {
    description: 'the private key of this server as a JSON Web Key, for `private_key_jwt`',
    variable: 'CLIENT_KEY',
    isSecret: true,
    group: 'clientKey',
  }),
  clientKeyFile: setting(text, {
    description: 'a file that contains the private key as a JSON Web Key',
    variable: 'CLIENT_KEY_FILE',
    isPath: true,
    group: 'clientKey',
  }),
  clientKeyVariable: setting(variable, {
    description: 'an environment variable that contains the private key, for several providers',
    group: 'clientKey',
  }),
  clientAuthentication: setting(
    oneOf('client_secret_basic', 'client_secret_basic_raw', 'client_secret_post', 'private_key_jwt', 'none'),
    {
      description:
        '`client_secret_basic` or `client_secret_post` (with a secret), `private_key_jwt` (with a key), `none`, or `client_secret_basic_raw`: without form encoding',
      defaultText: 'by secret or key',
      variable: 'CLIENT_AUTHENTICATION',
    },
  ),
  scopes: setting(texts, {
    description: 'the requested scopes',
    default: 'openid',
    variable: 'SCOPES',
  }),
  apiOrigins: setting(z.array(origin, 'must be a list of origins'), {
    description: "the origins that receive the provider's access tokens",
    defaultText: 'none',
    variable: 'API_ORIGINS',
  }),
  authorizationParams: setting(strings, {
    description: 'further parameters of the authorization request, such as `{"audience":"…"}`',
    variable: 'AUTHORIZATION_PARAMS',
  }),
  pkce: setting(oneOf('S256', 'off'), {
    description:
      '`S256`: the provider supports PKCE but does not announce it; `off`: it refuses PKCE (confidential clients only)',
    defaultText: 'as announced',
    variable: 'PKCE',
    link: 'configuration.md#options-that-give-up-a-protection',
  }),
  deviceFlow: setting(oneOf('allowed', 'only'), {
    description:
      '`allowed`: users may log in with a code that they enter at the provider; `only`: they have to. The server cannot verify who enters the code',
    defaultText: 'off',
    variable: 'DEVICE_FLOW',
    link: 'login.md#the-device-flow',
  }),
  endpoints: setting(
    z.strictObject({
      authorization: text,
      token: text,
      userInfo: text.optional(),
      revocation: text.optional(),
      deviceAuthorization: text.optional(),
      pushedAuthorization: text.optional(),
      jwks: text.optional(),
    } satisfies Record<keyof ProviderEndpoints, z.ZodType>),
    {
      description:
        'for a provider without discovery: `authorization`, `token`, `userInfo`, `revocation`, `deviceAuthorization`, `pushedAuthorization` and `jwks`',
      defaultText: 'discovered',
      variable: 'ENDPOINTS',
    },
  ),
  clientAssertion: setting(
    z.strictObject({ audience: text.optional(), header: strings.optional() } satisfies Record<
      keyof ClientAssertionOptions,
      z.ZodType
    >),
    {
      description:
        '`audience` (`issuer`, `token_endpoint` or another) and `header` of the assertion of `private_key_jwt`',
      variable: 'CLIENT_ASSERTION',
    },
  ),
  nonce: setting(oneOf('required', 'off'), {
    description: '`off`: its ID tokens have no nonce',
    default: 'required',
    variable: 'NONCE',
    link: 'configuration.md#options-that-give-up-a-protection',
  }),
  idTokenAlgorithms: setting(texts, {
    description: 'the algorithms that an ID token may have',
    defaultText: 'the announced ones',
    variable: 'ID_TOKEN_ALGORITHMS',
  }),
  idTokenAudiences: setting(texts, {
    description: 'audiences that an ID token may name besides this client',
    variable: 'ID_TOKEN_AUDIENCES',
  }),
  clockToleranceSeconds: setting(wholeNumber('a whole number of seconds from 0 to 600', 0, 600), {
    description: 'by how much its clock may differ',
    default: 60,
    variable: 'CLOCK_TOLERANCE_SECONDS',
  }),
  tokenTypes: setting(texts, {
    description: 'token types that are used as bearer tokens, in the variable separated by commas',
    default: 'Bearer',
    variable: 'TOKEN_TYPES',
    separator: ',',
  }),
  tokensAt: setting(text, {
    description: 'JSON Pointer to the object with the access token in its answer',
    variable: 'TOKENS_AT',
  }),
  tokenFields: setting(texts, {
    description: 'fields of its token answer that tools see',
    variable: 'TOKEN_FIELDS',
  }),
  callbackFields: setting(texts, {
    description: 'parameters of the callback that tools see',
    variable: 'CALLBACK_FIELDS',
  }),
  apiOriginField: setting(
    z.strictObject({ field: text, domains: texts } satisfies Record<keyof ApiOriginField, z.ZodType>),
    {
      description:
        "`field`: the field of the token answer with the origin of a user's API; `domains`: where that may be",
      variable: 'API_ORIGIN_FIELD',
    },
  ),
  scopeSeparator: setting(z.enum(['space', 'comma'], 'must be space or comma'), {
    description: '`space` or `comma`, between scopes',
    default: 'space',
    variable: 'SCOPE_SEPARATOR',
  }),
  scopeParameter: setting(text, {
    description: 'the authorization parameter that contains the scopes',
    default: 'scope',
    variable: 'SCOPE_PARAMETER',
  }),
  resource: setting(texts, {
    description: 'the APIs that the tokens are for, as URIs (RFC 8707)',
    variable: 'RESOURCE',
  }),
  pushedAuthorization: setting(z.boolean('must be true or false'), {
    description: '`true`: send authorization requests to it directly (RFC 9126)',
    defaultText: 'as its metadata requires',
    variable: 'PUSHED_AUTHORIZATION',
  }),
  responseMode: setting(oneOf('query', 'form_post'), {
    description: '`form_post`: the browser sends the code as a form',
    default: 'query',
    variable: 'RESPONSE_MODE',
  }),
  identitySource: setting(oneOf('id_token', 'user_info', 'token_response'), {
    description: 'what identifies the user: `id_token`, `user_info` or `token_response`',
    defaultText: 'the ID token if there is one, else the user info',
    variable: 'IDENTITY_SOURCE',
  }),
  identityFields: setting(
    z.strictObject({ subject: z.union([text, texts], SUBJECT), name: text.optional() } satisfies Record<
      keyof IdentityFields,
      z.ZodType
    >),
    {
      description:
        'names or JSON Pointers of `subject` and `name` of the user, such as `{"subject":"/data/id"}`',
      variable: 'IDENTITY_FIELDS',
    },
  ),
  userInfoRequest: setting(
    z.strictObject({
      method: oneOf('GET', 'POST').optional(),
      headers: strings.optional(),
      body: z.string('must be text').optional(),
    } satisfies Record<keyof UserInfoRequest, z.ZodType>),
    {
      description: '`method`, `headers` and `body` of the user info request',
      defaultText: 'GET',
      variable: 'USER_INFO_REQUEST',
    },
  ),
  revocation: setting(oneOf('token', 'grant', 'none'), {
    description: 'what a revocation ends: `token`, `grant` or `none`',
    default: 'token',
    variable: 'REVOCATION',
  }),
  revocationRequest: setting(
    z.strictObject({
      method: oneOf('POST', 'DELETE').optional(),
      body: oneOf('form', 'json').optional(),
      tokenField: text.optional(),
      tokens: oneOf('refresh', 'access', 'both').optional(),
      authentication: oneOf('client', 'bearer').optional(),
      headers: strings.optional(),
    } satisfies Record<keyof RevocationRequest, z.ZodType>),
    {
      description:
        '`method`, `body`, `tokenField`, `tokens`, `authentication` and `headers` of a revocation that differs from RFC 7009',
      variable: 'REVOCATION_REQUEST',
    },
  ),
} satisfies Record<keyof ProviderSettings, z.ZodType>);
