import type { z } from 'zod';
import { optionSchema } from './option-schema.js';
import type { ClientAuthentication } from './option-types.js';
import type { ProviderOptions } from './provider-options.js';

/** A combination of options that cannot work or cannot be safe. */
interface OptionRule {
  readonly path: readonly string[];
  /** Whether the options are good. */
  readonly holds: (options: ProviderOptions) => boolean;
  /** What is wrong, and what to set instead. */
  readonly message: string;
}

/** Control characters, which no Authorization header can contain. */
const CONTROL = /\p{Cc}/u;

const RULES: readonly OptionRule[] = [
  {
    path: ['pkce'],
    holds: ({ endpoints, pkce, deviceFlow }) => !endpoints || pkce !== undefined || deviceFlow === 'only',
    message:
      "must be 'S256' with `endpoints`, or 'off' for a provider that refuses PKCE: without metadata, the options have to declare what the provider supports",
  },
  {
    path: ['pkce'],
    holds: (options) => options.pkce !== 'off' || clientAuthenticationOf(options) !== 'none',
    message:
      "cannot be 'off' for a public client, whose codes only PKCE protects. Register a confidential client and set `clientSecret` or `clientKey`, or set 'S256'",
  },
  {
    path: ['pkce'],
    holds: (options) => options.pkce !== 'off' || options.nonce === 'off' || isNonceChecked(options),
    message:
      "'off' with a nonce that is not checked leaves only state, cookie, redirect URI and secret against an injected code. Request the scope `openid` with an ID token, or accept the risk with `nonce: 'off'`",
  },
  {
    path: ['pkce'],
    holds: ({ pkce, deviceFlow }) => pkce !== 'off' || deviceFlow !== 'only',
    message: "'off' means nothing with `deviceFlow: 'only'`, which has no authorization code. Leave it out",
  },
  {
    path: ['endpoints', 'userInfo'],
    holds: ({ endpoints, identitySource, scopes = ['openid'] }) =>
      !endpoints ||
      endpoints.userInfo !== undefined ||
      identitySource !== undefined ||
      scopes.includes('openid'),
    message:
      "is required without the scope `openid`, to identify the user, unless `identitySource` is 'token_response'",
  },
  {
    path: ['endpoints', 'userInfo'],
    holds: ({ endpoints, identitySource }) =>
      !endpoints || endpoints.userInfo !== undefined || identitySource !== 'user_info',
    message: "is required with `identitySource: 'user_info'`",
  },
  {
    path: ['identitySource'],
    holds: ({ identitySource, scopes = ['openid'] }) =>
      identitySource !== 'id_token' || scopes.includes('openid'),
    message: "'id_token' requires the scope `openid`: add it to `scopes`",
  },
  {
    path: ['nonce'],
    holds: ({ nonce, scopes = ['openid'] }) => nonce !== 'required' || scopes.includes('openid'),
    message: "'required' requires an ID token: add `openid` to `scopes`, or leave `nonce` out",
  },
  {
    path: ['clientAuthentication'],
    holds: (options) => hasCredential(options),
    message: 'requires `clientSecret`, or `clientKey` with `private_key_jwt`, or neither with `none`',
  },
  {
    path: ['clientAuthentication'],
    holds: ({ clientAuthentication, clientId, clientSecret = '' }) =>
      clientAuthentication !== 'client_secret_basic_raw' ||
      [clientId, clientSecret].every((value) => !value.includes(':') && !CONTROL.test(value)),
    message:
      "'client_secret_basic_raw' cannot carry a colon or a control character in `clientId` or `clientSecret`. Use 'client_secret_basic' or 'client_secret_post'",
  },
  {
    path: ['clientAssertion'],
    holds: ({ clientAssertion, clientKey }) => !clientAssertion || clientKey !== undefined,
    message: 'requires `clientKey`, which signs the assertion',
  },
  {
    path: ['endpoints', 'deviceAuthorization'],
    holds: ({ endpoints, deviceFlow }) =>
      !endpoints || !deviceFlow || endpoints.deviceAuthorization !== undefined,
    message: 'is required with `deviceFlow`',
  },
  {
    path: ['endpoints', 'pushedAuthorization'],
    holds: ({ endpoints, pushedAuthorization }) =>
      !endpoints || !pushedAuthorization || endpoints.pushedAuthorization !== undefined,
    message: 'is required with `pushedAuthorization`',
  },
  {
    path: ['authorizationParams'],
    holds: ({ authorizationParams = {}, scopeParameter }) =>
      scopeParameter === undefined || !Object.hasOwn(authorizationParams, scopeParameter),
    message: 'must not contain the `scopeParameter`: write its values into `scopes`',
  },
  {
    path: ['authorizationParams'],
    holds: ({ authorizationParams = {}, resource }) =>
      resource === undefined || !Object.hasOwn(authorizationParams, 'resource'),
    message: 'must not contain `resource` beside the option `resource`: leave it out here',
  },
  {
    path: ['userInfoRequest'],
    holds: ({ userInfoRequest, identitySource }) =>
      !userInfoRequest || identitySource === undefined || identitySource === 'user_info',
    message: "cannot apply with this `identitySource`: leave it out, or set `identitySource: 'user_info'`",
  },
  {
    path: ['callbackFields'],
    holds: ({ callbackFields = [], tokenFields = [] }) =>
      callbackFields.every((name) => !tokenFields.includes(name)),
    message:
      'must not repeat one of `tokenFields`: the browser could replace what the token response says. Leave it out in one of them',
  },
  {
    path: ['apiOriginField', 'field'],
    holds: ({ apiOriginField, tokenFields = [] }) =>
      !apiOriginField || tokenFields.includes(apiOriginField.field),
    message: 'must be one of `tokenFields`: add it there',
  },
  {
    path: ['revoke'],
    holds: ({ revoke, revocationRequest }) => !revoke || !revocationRequest,
    message: 'cannot be combined with `revocationRequest`: leave one of them out',
  },
  {
    path: ['revoke'],
    holds: ({ revoke, revocation }) => !revoke || revocation !== 'none',
    message: "is never called with `revocation: 'none'`: leave one of them out",
  },
  {
    path: ['revocationRequest'],
    holds: ({ revocationRequest, endpoints }) => !revocationRequest || endpoints?.revocation !== undefined,
    message: 'requires `endpoints.revocation`, the address of the request',
  },
];

/** The schema of provider options, with the rules for combinations. */
export const optionRules: z.ZodType<ProviderOptions> = RULES.reduce<z.ZodType<ProviderOptions>>(
  (schema, { path, holds, message }) => schema.refine(holds, { path: [...path], message }),
  optionSchema,
);

type Credentials = Pick<ProviderOptions, 'clientSecret'> & {
  readonly clientAuthentication?: ClientAuthentication | undefined;
  readonly clientKey?: unknown;
};

/** The client authentication that the credentials determine, unless it is configured. */
export function clientAuthenticationOf({
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

/** Whether every login has an ID token whose nonce is compared. */
function isNonceChecked({ scopes = ['openid'], identitySource = 'id_token' }: ProviderOptions): boolean {
  return scopes.includes('openid') && identitySource === 'id_token';
}
