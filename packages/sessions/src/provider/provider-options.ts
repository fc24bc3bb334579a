import { z } from 'zod';
import { parseOptions, SCOPE_TOKEN } from '../parse-options.js';
import { isSecureUrl } from '../secure-url.js';
import { type ClientAssertionKey, KEY_ALGORITHM_NAMES } from './client-assertion-key.js';

/** Client authentication at the token endpoint (OpenID Connect Core section 9). */
export type ClientAuthentication = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none';

/** The endpoints of a provider without discovery. */
export interface ProviderEndpoints {
  readonly authorization: string;
  readonly token: string;
  /** Identifies the user if there is no ID token. */
  readonly userInfo?: string | undefined;
  /** RFC 7009. Absent: tokens are not revoked, unless `revoke` is set. */
  readonly revocation?: string | undefined;
  /** RFC 8628. Required for `deviceFlow`. */
  readonly deviceAuthorization?: string | undefined;
}

/**
 * The device flow (RFC 8628), in which users enter a code at the provider's page.
 *
 * - `allowed`: the `login` tool has an argument that selects it.
 * - `only`: every login uses it, for servers that browsers cannot reach.
 */
export type DeviceFlow = 'allowed' | 'only';

/** The tokens of a login that ends. */
export interface RevocableTokens {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
}

/** One upstream authorization server and this server's registration there. */
export interface ProviderOptions<Name extends string = string> {
  /**
   * The provider's name in results, in the `provider` argument of `login`, and in its redirect URI: `/callback` for the
   * first provider, `/login/callback/` and the name for any other. Default: the issuer's host.
   */
  readonly name?: Name | undefined;
  /** The provider's name on the pages of a login, up to 80 characters. Default: `name`. */
  readonly displayName?: string | undefined;
  /** The issuer identifier. Metadata is discovered from it unless `endpoints` is set. https, except on loopback. */
  readonly issuer: string;
  /** For providers without discovery, such as GitHub; requires `pkce: 'S256'`. Default: discovered. */
  readonly endpoints?: ProviderEndpoints | undefined;
  readonly clientId: string;
  /** Absent for a public client, and with `private_key_jwt`. */
  readonly clientSecret?: string | undefined;
  /**
   * A private key for `private_key_jwt` (RFC 7523): a JWK with `alg` (ES, RS or PS with 256, 384 or 512, or EdDSA for
   * Ed25519), and `kid` if the provider needs it.
   */
  readonly clientKey?: ClientAssertionKey | undefined;
  /** Default: `client_secret_basic` with a secret, `private_key_jwt` with a key, `none` without either. */
  readonly clientAuthentication?: ClientAuthentication | undefined;
  /** Default: `openid`. */
  readonly scopes?: readonly string[] | undefined;
  /** Parameters of every authorization request, such as `audience`, `resource` or `access_type`. Default: none. */
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined;
  /**
   * Enables the device flow. The server cannot verify who enters the code: an attacker who persuades a user to enter it
   * gets the user's login, except in bearer access with this provider's own tokens. Default: disabled.
   */
  readonly deviceFlow?: DeviceFlow | undefined;
  /** Declares that the provider supports PKCE with S256 if its metadata does not announce it. Default: as announced. */
  readonly pkce?: 'S256' | undefined;
  /** The fields of the user info that identify the user. Default: `sub`, and `name`, `preferred_username` or `email`. */
  readonly identityFields?: { readonly subject: string; readonly name?: string | undefined } | undefined;
  /**
   * The origins to which `session.fetch` may send this provider's access tokens, such as `https://api.example.com`;
   * without a path, and with https except on loopback. Default: none.
   */
  readonly apiOrigins?: readonly string[] | undefined;
  /**
   * Revokes the tokens of a login when it ends, for providers without a revocation endpoint (RFC 7009), such as GitHub.
   * It must not keep or log the tokens. `signal` aborts after 5 seconds; then, and if the promise rejects, the
   * revocation is `unconfirmed` in events, and the class of the error is logged. Default: the revocation endpoint.
   */
  readonly revoke?: ((tokens: RevocableTokens, signal: AbortSignal) => Promise<void>) | undefined;
}

/** Provider options with every default filled in. */
export interface ProviderSettings extends ProviderOptions {
  readonly name: string;
  readonly displayName: string;
  readonly clientAuthentication: ClientAuthentication;
  readonly scopes: readonly string[];
  readonly authorizationParams: Readonly<Record<string, string>>;
  /** As {@link URL.origin} writes them. */
  readonly apiOrigins: readonly string[];
}

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

const address = z
  .url({ protocol: /^https?$/ })
  .refine(isSecureUrl, 'must use https: it is not on loopback')
  .refine(hasNoCredentials, 'must not contain a user or password');
const apiOrigin = address.refine(
  isOrigin,
  'must be an origin, such as https://api.example.com, without a path',
);
const CLIENT_AUTHENTICATIONS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
] as const satisfies readonly ClientAuthentication[];

const schema = z
  .strictObject({
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
    endpoints: z
      .strictObject({
        authorization: address,
        token: address,
        userInfo: address.optional(),
        revocation: address.optional(),
        deviceAuthorization: address.optional(),
      })
      .optional(),
    clientId: z.string().min(1),
    clientSecret: z.string().min(1).optional(),
    clientKey: z
      .looseObject({
        kty: z.string(),
        d: z.string('must be a private key'),
        alg: z.enum(KEY_ALGORITHM_NAMES),
      })
      .optional(),
    clientAuthentication: z.enum(CLIENT_AUTHENTICATIONS).optional(),
    scopes: z.array(z.string().regex(SCOPE_TOKEN, 'is not a scope')).optional(),
    authorizationParams: z
      .record(z.string(), z.string())
      .refine((params) => RESERVED_PARAMS.every((name) => !(name in params)), {
        message: `must not contain ${RESERVED_PARAMS.join(', ')}`,
      })
      .optional(),
    deviceFlow: z.enum(['allowed', 'only']).optional(),
    pkce: z.literal('S256').optional(),
    identityFields: z
      .strictObject({ subject: z.string().min(1), name: z.string().min(1).optional() })
      .optional(),
    apiOrigins: z.array(apiOrigin).optional(),
    revoke: z
      .custom<ProviderOptions['revoke']>((value) => typeof value === 'function', 'must be a function')
      .optional(),
  })
  .refine(({ endpoints, pkce, deviceFlow }) => !endpoints || pkce === 'S256' || deviceFlow === 'only', {
    path: ['pkce'],
    message:
      "must be 'S256' with `endpoints`: without metadata, the options have to declare that the provider supports PKCE",
  })
  .refine(
    ({ endpoints, scopes = ['openid'] }) => !endpoints || endpoints.userInfo || scopes.includes('openid'),
    {
      path: ['endpoints', 'userInfo'],
      message: 'is required without the scope `openid`, to identify the user',
    },
  )
  .refine(({ endpoints, deviceFlow }) => !endpoints || !deviceFlow || endpoints.deviceAuthorization, {
    path: ['endpoints', 'deviceAuthorization'],
    message: 'is required with `deviceFlow`',
  })
  .refine((options) => hasCredential(options), {
    path: ['clientAuthentication'],
    message: 'requires `clientSecret`, or `clientKey` with `private_key_jwt`, or neither with `none`',
  });

/** Checks provider options. @throws SessionError `configuration`, naming what is wrong. */
export function providerSettings(options: ProviderOptions): ProviderSettings {
  parseOptions(schema, options, 'The provider options are invalid');
  const name = options.name ?? new URL(options.issuer).host;
  return {
    ...options,
    name,
    displayName: options.displayName ?? name,
    clientAuthentication: clientAuthenticationOf(options),
    scopes: options.scopes ?? ['openid'],
    authorizationParams: options.authorizationParams ?? {},
    apiOrigins: (options.apiOrigins ?? []).map((origin) => new URL(origin).origin),
  };
}

type Credentials = Pick<ProviderOptions, 'clientSecret' | 'clientAuthentication'> & { clientKey?: unknown };

function clientAuthenticationOf({
  clientAuthentication,
  clientSecret,
  clientKey,
}: Credentials): ClientAuthentication {
  if (clientAuthentication) return clientAuthentication;
  if (clientKey) return 'private_key_jwt';
  return clientSecret ? 'client_secret_basic' : 'none';
}

function hasCredential(options: Credentials): boolean {
  const { clientSecret, clientKey } = options;
  switch (clientAuthenticationOf(options)) {
    case 'none':
      return !clientSecret && !clientKey;
    case 'private_key_jwt':
      return clientKey !== undefined && !clientSecret;
    default:
      return clientSecret !== undefined && !clientKey;
  }
}

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
