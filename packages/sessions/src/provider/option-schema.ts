import { z } from 'zod';
import { SCOPE_TOKEN } from '../parse-options.js';
import { isSecureUrl } from '../secure-url.js';
import { KEY_ALGORITHM_NAMES } from './client-assertion-key.js';
import type {
  ApiOriginField,
  ClientAssertionOptions,
  ClientAuthentication,
  IdentityFields,
  IdentitySource,
  ProviderEndpoints,
  RevocationRequest,
  RevocationScope,
  UserInfoRequest,
} from './option-types.js';
import type { ProviderOptions } from './provider-options.js';

/** Parameters that protect the flow. Options cannot set them. */
const RESERVED_PARAMS = [
  'client_id',
  'response_type',
  'response_mode',
  'request',
  'request_uri',
  'redirect_uri',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'scope',
];
/** Parameters that the server sends for other options, and for the demands of an API. */
const OTHER_PARAMS = ['resource', 'claims', 'prompt'];
export const MAX_FIELDS = 10;
const MAX_RESOURCES = 10;
const MAX_DOMAINS = 20;
const MAX_SUBJECT_FIELDS = 3;
const MAX_CLOCK_TOLERANCE_SECONDS = 600;
/** A JSON Pointer (RFC 6901 section 3) to something below the document. */
const JSON_POINTER = /^(\/([^~/]|~[01])*)+$/;
/** Names of fields that could contain a credential. */
const CREDENTIAL = /token|secret|code|password/i;
/** A host name of at least two labels that is no address. */
const DOMAIN = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$/i;
/** A field name (RFC 9110 section 5.1). */
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;
/** What the request itself determines. */
const RESERVED_HEADERS = ['authorization', 'host', 'content-length'];
/** Tokens that a request has to prove possession of a key with (RFC 9449). */
const KEY_BOUND = ['dpop', 'mac', 'pop'];

const text = z.string().min(1);
const address = z
  .url({ protocol: /^https?$/ })
  .refine(isSecureUrl, 'must use https: it is not on loopback')
  .refine(hasNoCredentials, 'must not contain a user or password');
const apiOrigin = z
  .string()
  // `URL` accepts an asterisk in a host name.
  .refine((origin) => !origin.includes('*'), {
    error: 'must not contain a wildcard: use `apiOriginField`',
    abort: true,
  })
  .pipe(address.refine(isOrigin, 'must be an origin, such as https://api.example.com, without a path'));
const pointer = z.string().regex(JSON_POINTER, 'must be a JSON Pointer, such as /authed_user');
/** A name, or a JSON Pointer. */
const field = text.refine(
  (name) => !name.startsWith('/') || JSON_POINTER.test(name),
  'must be the name of a field or a JSON Pointer',
);
const visibleFields = z
  .array(
    field
      .max(100)
      .refine(
        (name) => !CREDENTIAL.test(name),
        'must not contain `token`, `secret`, `code` or `password`: tools and models would see it',
      )
      .refine((name) => !(name in Object.prototype), 'must not be the name of a property of every object'),
  )
  .max(MAX_FIELDS);
const headers = z
  .record(z.string().regex(HEADER_NAME, 'is not the name of a header'), z.string().regex(/^[\t\x20-\x7e]*$/))
  .refine(
    (given) => Object.keys(given).every((name) => !RESERVED_HEADERS.includes(name.toLowerCase())),
    `must not contain ${RESERVED_HEADERS.join(', ')}`,
  );
const resource = z
  .url('must be an absolute URI')
  .refine((uri) => !uri.includes('#'), 'must not contain a fragment');

const endpoints = z.strictObject({
  authorization: address,
  token: address,
  userInfo: address.optional(),
  revocation: address.optional(),
  deviceAuthorization: address.optional(),
  pushedAuthorization: address.optional(),
  jwks: address.optional(),
} satisfies Record<keyof ProviderEndpoints, z.ZodType>);

const clientAssertion = z.strictObject({
  audience: text.optional(),
  header: z
    .record(text, z.string())
    .refine((header) => !('alg' in header) && !('typ' in header), 'must not contain alg or typ')
    .optional(),
} satisfies Record<keyof ClientAssertionOptions, z.ZodType>);

const userInfoRequest = z
  .strictObject({
    method: z.enum(['GET', 'POST']).optional(),
    headers: headers.optional(),
    body: z.string().optional(),
  } satisfies Record<keyof UserInfoRequest, z.ZodType>)
  .refine(({ method, body }) => body === undefined || method === 'POST', {
    path: ['body'],
    error: "requires `method: 'POST'`",
  });

const revocationRequest = z.strictObject({
  method: z.enum(['POST', 'DELETE']).optional(),
  body: z.enum(['form', 'json']).optional(),
  tokenField: text.optional(),
  tokens: z.enum(['refresh', 'access', 'both']).optional(),
  authentication: z.enum(['client', 'bearer']).optional(),
  headers: headers.optional(),
} satisfies Record<keyof RevocationRequest, z.ZodType>);

/** Each option on its own. */
export const optionSchema: z.ZodType<ProviderOptions> = z.strictObject({
  // The name is a path segment of the redirect URI.
  name: z
    .string()
    .min(1)
    .max(100)
    .refine((name) => !/^\.\.?$|\p{Surrogate}/u.test(name), 'must be text, and not . or ..')
    // Accounts are found by the name, and every object has these properties.
    .refine((name) => !(name in Object.prototype), 'must not be the name of a property of every object')
    .optional(),
  displayName: z
    .string()
    .min(1)
    .max(80)
    .regex(/^\P{C}*$/u, 'must not contain control characters')
    .optional(),
  issuer: address,
  endpoints: endpoints.optional(),
  clientId: text,
  clientSecret: text.optional(),
  clientKey: z
    .looseObject({
      kty: z.string(),
      d: z.string('must be a private key'),
      alg: z.enum(KEY_ALGORITHM_NAMES),
    })
    .optional(),
  clientAssertion: clientAssertion.optional(),
  clientAuthentication: z
    .enum([
      'client_secret_basic',
      'client_secret_basic_raw',
      'client_secret_post',
      'private_key_jwt',
      'none',
    ] satisfies ClientAuthentication[])
    .optional(),
  scopes: z.array(z.string().regex(SCOPE_TOKEN, 'is not a scope')).optional(),
  scopeSeparator: z.enum([' ', ',']).optional(),
  scopeParameter: text
    .refine(
      (name) => name === 'scope' || !RESERVED_PARAMS.includes(name),
      'must not be a parameter that protects the login',
    )
    .refine(
      (name) => !OTHER_PARAMS.includes(name),
      `must not be a parameter that has another meaning: ${OTHER_PARAMS.join(', ')}`,
    )
    .optional(),
  authorizationParams: z
    .record(z.string(), z.string())
    .refine((params) => RESERVED_PARAMS.every((name) => !(name in params)), {
      message: `must not contain ${RESERVED_PARAMS.join(', ')}`,
    })
    .optional(),
  resource: z.union([resource, z.array(resource).max(MAX_RESOURCES)]).optional(),
  pushedAuthorization: z.boolean().optional(),
  responseMode: z.enum(['query', 'form_post']).optional(),
  deviceFlow: z.enum(['allowed', 'only']).optional(),
  pkce: z.enum(['S256', 'off']).optional(),
  nonce: z.enum(['required', 'off']).optional(),
  idTokenAlgorithms: z
    .array(
      text.refine(
        (name) => name.toLowerCase() !== 'none',
        'must not be `none`: name an algorithm that signs',
      ),
    )
    .min(1)
    .optional(),
  idTokenAudiences: z.array(text).optional(),
  clockToleranceSeconds: z.number().min(0).max(MAX_CLOCK_TOLERANCE_SECONDS).optional(),
  tokenTypes: z
    .array(
      text.refine(
        (name) => !KEY_BOUND.includes(name.toLowerCase()),
        'must not be bound to a key: configure bearer tokens at the provider',
      ),
    )
    .min(1)
    .optional(),
  tokensAt: pointer.optional(),
  tokenFields: visibleFields.optional(),
  callbackFields: visibleFields
    .refine((names) => !names.includes('state'), 'must not contain `state`')
    .optional(),
  identitySource: z.enum(['id_token', 'user_info', 'token_response'] satisfies IdentitySource[]).optional(),
  identityFields: z
    .strictObject({
      subject: z.union([field, z.array(field).min(1).max(MAX_SUBJECT_FIELDS)]),
      name: field.optional(),
    } satisfies Record<keyof IdentityFields, z.ZodType>)
    .optional(),
  userInfoRequest: userInfoRequest.optional(),
  apiOrigins: z.array(apiOrigin).optional(),
  apiOriginField: z
    .strictObject({
      field: text,
      domains: z
        .array(
          z
            .string()
            .regex(
              DOMAIN,
              'must be a domain of the provider, such as my.salesforce.com, without a scheme or wildcard',
            ),
        )
        .min(1)
        .max(MAX_DOMAINS),
    } satisfies Record<keyof ApiOriginField, z.ZodType>)
    .optional(),
  revocation: z.enum(['token', 'grant', 'none'] satisfies RevocationScope[]).optional(),
  revocationRequest: revocationRequest.optional(),
  revoke: z
    .custom<NonNullable<ProviderOptions['revoke']>>(
      (value) => typeof value === 'function',
      'must be a function',
    )
    .optional(),
} satisfies Record<keyof ProviderOptions, z.ZodType>);

function isOrigin(value: string): boolean {
  if (!URL.canParse(value)) return true;
  const { href, origin } = new URL(value);
  return href === `${origin}/`;
}

function hasNoCredentials(value: string): boolean {
  if (!URL.canParse(value)) return true;
  const { username, password } = new URL(value);
  return username === '' && password === '';
}
