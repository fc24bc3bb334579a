import type { ProviderEndpoints } from '../provider/option-types.js';
import type { ProviderOptions } from '../provider/provider-options.js';

/** What a provider does, beside its quirks. */
export interface ProviderBehaviour {
  /** Default: `https://provider.test`. */
  readonly issuer?: string;
  /** The endpoints of a provider without discovery, such as GitHub's. Default: discovered below the issuer. */
  readonly endpoints?: ProviderEndpoints;
  /** The secret of a confidential client, which the provider verifies. Default: a public client. */
  readonly clientSecret?: string;
  /** Whether token responses contain an ID token, signed with RS256. Default: false. */
  readonly idTokens?: boolean;
  /** The lifetime of refresh tokens, which token responses then contain. Default: unlimited. */
  readonly refreshTokenSeconds?: number;
  /** The least length of access and refresh tokens. Default: as short as they are. */
  readonly tokenCharacters?: number;
  /** The origins of the provider's API. Default: `https://api.test`. */
  readonly apiOrigins?: readonly string[];
}

/** The provider that a quirk belongs to. */
export interface QuirkFacts {
  readonly issuer: string;
  readonly endpoints: ProviderEndpoints;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
}

/** A login of a user at the provider. */
export interface QuirkGrant {
  readonly user: string;
  /** The parameters of the authorization request. */
  readonly request: URLSearchParams;
  /** The requested scopes. */
  readonly scopes: readonly string[];
}

/** What a token request is for. */
export type TokenRequestKind = 'code' | 'refresh' | 'device';

/** A request to an endpoint of the provider. */
export interface QuirkRequest {
  readonly kind:
    | TokenRequestKind
    | 'device_authorization'
    | 'user_info'
    | 'revocation'
    | 'pushed_authorization';
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
  /** The body as a form. */
  readonly form: URLSearchParams;
  readonly facts: QuirkFacts;
}

/** An authorization response. */
export interface QuirkAuthorization {
  readonly request: URLSearchParams;
  /** Whether the request was pushed (RFC 9126). */
  readonly isPushed: boolean;
  /** Where the browser goes. */
  readonly callback: URL;
  readonly grant: QuirkGrant;
  readonly facts: QuirkFacts;
}

/** A token request that succeeds. */
export interface QuirkIssue {
  readonly kind: TokenRequestKind;
  readonly grant: QuirkGrant;
  readonly facts: QuirkFacts;
  /** A valid ID token. */
  idToken(): string;
}

/** A token that is revoked. */
export interface QuirkRevocation {
  /** Whether the token or its grant is known and not ended. */
  readonly isActive: boolean;
  readonly isAccessToken: boolean;
  /** Ends all grants of the token's user. */
  endAll(): void;
}

/**
 * Where a provider can differ. Quirks apply in the order of their list; of the hooks that return a response, the first
 * that returns one ends the request.
 */
export interface QuirkHooks {
  /** @throws Error as `fetch` does if there is no connection */
  readonly connect: () => void;
  readonly metadata: (metadata: Record<string, unknown>, facts: QuirkFacts) => Record<string, unknown>;
  /** Answers one of the two addresses of metadata: OpenID Connect Discovery, RFC 8414. */
  readonly wellKnown: (which: 'oidc' | 'oauth') => Response | undefined;
  readonly authorization: (authorization: QuirkAuthorization) => void;
  /** Whether the client is authenticated; replaces the check of the provider. */
  readonly authenticates: (request: QuirkRequest) => boolean;
  /** Refuses a request before the provider carries it out. */
  readonly request: (request: QuirkRequest) => Response | undefined;
  readonly tokens: (answer: Record<string, unknown>, issue: QuirkIssue) => Record<string, unknown> | Response;
  readonly header: (header: Record<string, unknown>) => Record<string, unknown>;
  readonly claims: (
    claims: Record<string, unknown>,
    issue: Omit<QuirkIssue, 'idToken'>,
  ) => Record<string, unknown>;
  /** Changes an ID token after it was signed. */
  readonly idToken: (jwt: string) => string;
  readonly userInfo: (claims: Record<string, unknown>) => Response | undefined;
  /** How an error of the token endpoint looks. */
  readonly error: (code: string) => Response | undefined;
  /** Answers a refresh whose grant has ended, or a request to the API without a valid access token. */
  readonly dead: (kind: 'refresh' | 'access') => Response | undefined;
  /**
   * The token of a revocation that differs from RFC 7009; `undefined` if the request is not as the provider wants it.
   * Replaces the check of the client.
   */
  readonly revocationToken: (request: QuirkRequest) => string | undefined;
  readonly revoke: (revocation: QuirkRevocation) => Response | undefined;
  /** Answers requests during maintenance. */
  readonly maintenance: () => Response;
  readonly api: (request: Request, grant: QuirkGrant) => Response | undefined;
}

/** A behaviour that real providers have. */
export interface Quirk {
  /** What the provider does, as the rest of a sentence that begins with it. */
  readonly does: string;
  /** Where it was seen: a page or a thread. `own`: it follows from a specification or from an attack. */
  readonly seen: string;
  /** What else the provider does. */
  readonly provider?: ProviderBehaviour;
  /** The client's registration, without which no login is possible. */
  readonly client?: Partial<ProviderOptions>;
  /** The options of the server under test that deal with the quirk. */
  readonly settings?: Partial<ProviderOptions> | ((facts: QuirkFacts) => Partial<ProviderOptions>);
  readonly hooks: Partial<QuirkHooks>;
}
