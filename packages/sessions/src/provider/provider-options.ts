import { z } from 'zod';
import { SessionError } from '../errors.js';
import { isLoopbackHost } from '../loopback.js';

/** One upstream authorization server and this server's registration there. */
export interface ProviderOptions {
  /** How it is called in results and in `login`'s `provider` argument. Default: the issuer's host. */
  readonly name?: string | undefined;
  /** Its issuer identifier, from which the rest is discovered. https, except on loopback. */
  readonly issuer: string;
  readonly clientId: string;
  /** Absent for a public client. */
  readonly clientSecret?: string | undefined;
  /** Default: `openid`. */
  readonly scopes?: readonly string[] | undefined;
  /** Added to every authorization request, e.g. `audience`, `resource` or `access_type`. */
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined;
  /** States that the provider supports PKCE with S256 although its metadata does not announce it. */
  readonly pkce?: 'S256' | undefined;
}

/** Provider options with every default filled in. */
export interface ProviderSettings extends ProviderOptions {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly authorizationParams: Readonly<Record<string, string>>;
}

/** Parameters that belong to the flow; an operator's value would break its protection. */
const RESERVED_PARAMS = [
  'client_id',
  'response_type',
  'redirect_uri',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'scope',
];

const schema = z.object({
  name: z.string().min(1).max(100).optional(),
  issuer: z.url({ protocol: /^https?$/ }),
  clientId: z.string().min(1),
  clientSecret: z.string().min(1).optional(),
  scopes: z.array(z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/, 'is not a scope')).optional(),
  authorizationParams: z
    .record(z.string(), z.string())
    .refine((params) => RESERVED_PARAMS.every((name) => !(name in params)), {
      message: `must not contain ${RESERVED_PARAMS.join(', ')}`,
    })
    .optional(),
  pkce: z.literal('S256').optional(),
});

/** Checks provider options. @throws SessionError `configuration`, naming what is wrong. */
export function providerSettings(options: ProviderOptions): ProviderSettings {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    throw new SessionError(
      'configuration',
      `The provider options are wrong: ${z.prettifyError(parsed.error)}`,
    );
  }
  const issuer = new URL(options.issuer);
  if (issuer.protocol !== 'https:' && !isLoopbackHost(issuer.hostname)) {
    throw new SessionError(
      'configuration',
      `The issuer ${issuer.href} must use https: it is not on loopback.`,
    );
  }
  return {
    ...options,
    name: options.name ?? issuer.host,
    scopes: options.scopes ?? ['openid'],
    authorizationParams: options.authorizationParams ?? {},
  };
}
