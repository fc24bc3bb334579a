import type { ClientAssertionKey } from './client-assertion-key.js';
import type {
  ApiOriginField,
  ClientAssertionOptions,
  ClientAuthentication,
  DeviceFlow,
  IdentityFields,
  IdentitySource,
  ProviderEndpoints,
  RevocableTokens,
  RevocationRequest,
  RevocationScope,
  UserInfoRequest,
} from './option-types.js';

/** One upstream authorization server and this server's registration there. */
export interface ProviderOptions<Name extends string = string> {
  /**
   * The provider's name in results, in the `provider` argument of `login`, and in its redirect URI: `/callback` for the
   * first provider, `/login/callback/` and the name for any other. Default: the issuer's host.
   */
  readonly name?: Name | undefined;
  /** The provider's name on the pages of a login, up to 80 characters. Default: `name`. */
  readonly displayName?: string | undefined;
  /**
   * The issuer identifier, or the address of its metadata below `/.well-known/`. Metadata is discovered from it unless
   * `endpoints` is set. https, except on loopback.
   */
  readonly issuer: string;
  /** For providers without discovery, such as GitHub; requires `pkce`. Default: discovered. */
  readonly endpoints?: ProviderEndpoints | undefined;
  /** This server's client id at the provider (RFC 6749 section 2.2). */
  readonly clientId: string;
  /** Absent for a public client, and with `private_key_jwt`. */
  readonly clientSecret?: string | undefined;
  /**
   * A private key for `private_key_jwt` (RFC 7523): a JWK with `alg` (ES, RS or PS with 256, 384 or 512, or EdDSA for
   * Ed25519), and `kid` if the provider needs it.
   */
  readonly clientKey?: ClientAssertionKey | undefined;
  /** How an assertion signed with `clientKey` looks. Default: its audience is the issuer. */
  readonly clientAssertion?: ClientAssertionOptions | undefined;
  /**
   * Default: with a secret `client_secret_basic`, or `client_secret_post` if the metadata announces that and not Basic;
   * `private_key_jwt` with a key; `none` without either.
   */
  readonly clientAuthentication?: ClientAuthentication | undefined;
  /** An empty list: no scopes are requested. Default: `openid`. */
  readonly scopes?: readonly string[] | undefined;
  /**
   * The character between scopes in requests: a comma at Strava and Slack. In responses, a comma separates, too, if it
   * is set here or `endpoints` is. Default: a space (RFC 6749 section 3.3).
   */
  readonly scopeSeparator?: ' ' | ',' | undefined;
  /** The parameter of the authorization request that contains the scopes: `user_scope` at Slack. Default: `scope`. */
  readonly scopeParameter?: string | undefined;
  /** Parameters of every authorization request, such as `audience` or `access_type`. Default: none. */
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined;
  /**
   * The APIs that the access tokens are for (RFC 8707), as absolute URIs without a fragment, up to 10. Sent with
   * authorization and token requests. Default: none.
   */
  readonly resource?: string | readonly string[] | undefined;
  /**
   * Whether the authorization request is sent to the provider directly, so that the browser carries a reference only
   * (PAR, RFC 9126). Default: as the metadata requires.
   */
  readonly pushedAuthorization?: boolean | undefined;
  /**
   * How the provider returns the code: `form_post` lets the browser send it as a form (OAuth 2.0 Form Post Response
   * Mode), as Apple requires. Default: `query`.
   */
  readonly responseMode?: 'query' | 'form_post' | undefined;
  /**
   * Enables the device flow. The server cannot verify who enters the code: an attacker who persuades a user to enter it
   * gets the user's login, except in bearer access with this provider's own tokens. Default: disabled.
   */
  readonly deviceFlow?: DeviceFlow | undefined;
  /**
   * `S256` declares that the provider supports PKCE if its metadata does not announce it. `off`: no code challenge is
   * sent, for confidential clients of providers that refuse it (LinkedIn). Against an injected code, state, the cookie
   * of the browser, the exact redirect URI and the client's secret are left. `off` requires a nonce that is checked, or
   * also `nonce: 'off'`. Default: as announced; without it, logins fail.
   */
  readonly pkce?: 'S256' | 'off' | undefined;
  /**
   * `off`: no nonce is sent and none is compared, for providers whose ID token has none (LinkedIn). PKCE is left
   * against an injected code; without PKCE, what `pkce` says. Default: `required`, if `openid` is requested.
   */
  readonly nonce?: 'required' | 'off' | undefined;
  /**
   * The algorithms (`alg`) that an ID token may have, without `none`. ID tokens come over TLS from the token endpoint;
   * their signature is not verified (OpenID Connect Core section 3.1.3.7). Default: the announced ones; with
   * `endpoints` all but `none`.
   */
  readonly idTokenAlgorithms?: readonly string[] | undefined;
  /** Audiences that an ID token may name beside the client id without `azp` (NetSuite). Default: none. */
  readonly idTokenAudiences?: readonly string[] | undefined;
  /** By how much the provider's clock may differ, for `exp`, `nbf` and `iat` of its tokens, 0 to 600. Default: 60. */
  readonly clockToleranceSeconds?: number | undefined;
  /**
   * Values of `token_type` that are used as bearer tokens, such as `User Access Token` (eBay) or `bot` (Slack). Letter
   * case does not matter. Tokens that are bound to a key (`DPoP`, `mac`, `pop`) cannot be used. Default: `Bearer`.
   */
  readonly tokenTypes?: readonly string[] | undefined;
  /**
   * The object of the token response that contains `access_token`, as a JSON Pointer (RFC 6901): `/authed_user` at
   * Slack. Without an access token there, the response itself is used. Default: the response itself.
   */
  readonly tokensAt?: string | undefined;
  /**
   * Fields of the token response that tools see in `account.fields`, as names or JSON Pointers, up to 10. Names with
   * `token`, `secret`, `code` or `password` are refused. Default: none.
   */
  readonly tokenFields?: readonly string[] | undefined;
  /**
   * Query parameters of the callback that tools see in `account.fields`, such as `realmId` (QuickBooks), up to 10. They
   * pass through the user's browser: check what depends on them. Default: none.
   */
  readonly callbackFields?: readonly string[] | undefined;
  /**
   * What identifies the user. User info with a `sub` that differs from that of the ID token ends the login (OpenID
   * Connect Core section 5.3.2). Default: the ID token if there is one, else the user info.
   */
  readonly identitySource?: IdentitySource | undefined;
  /**
   * The fields of the user info or the token response that identify the user, as names or, beginning with `/`, JSON
   * Pointers (RFC 6901). Default: `sub`, and `name`, `preferred_username` or `email`.
   */
  readonly identityFields?: IdentityFields | undefined;
  /** How the user info is requested. Default: a GET without further headers (OpenID Connect Core section 5.3). */
  readonly userInfoRequest?: UserInfoRequest | undefined;
  /**
   * The origins to which `session.fetch` may send this provider's access tokens, such as `https://api.example.com`;
   * without a path or wildcard, and with https except on loopback. Default: none.
   */
  readonly apiOrigins?: readonly string[] | undefined;
  /**
   * The field of the token response that contains the origin of the user's API, such as `instance_url` (Salesforce).
   * `session.fetch` sends that user's access token there, too. Default: none.
   */
  readonly apiOriginField?: ApiOriginField | undefined;
  /** What ends when a token is revoked. Default: `token`. */
  readonly revocation?: RevocationScope | undefined;
  /** How requests to `endpoints.revocation` differ from RFC 7009. Default: they do not. */
  readonly revocationRequest?: RevocationRequest | undefined;
  /**
   * Revokes the tokens of a login when it ends, for providers without a revocation endpoint (RFC 7009) that
   * `revocationRequest` does not describe. It must not keep or log the tokens. `signal` aborts after 5 seconds; then,
   * and if the promise rejects, the revocation is `unconfirmed` in events, and the class of the error is logged.
   * Default: the revocation endpoint.
   */
  readonly revoke?: ((tokens: RevocableTokens, signal: AbortSignal) => Promise<void>) | undefined;
}
