/**
 * Client authentication at the token endpoint (OpenID Connect Core section 9).
 *
 * - `client_secret_basic`: an Authorization header in which id and secret are form-encoded (RFC 6749 section 2.3.1).
 * - `client_secret_basic_raw`: the same without the encoding (RFC 7617), for providers that do not decode it. A colon
 *   in the id or the secret is refused.
 * - `client_secret_post`: id and secret are fields of the form.
 * - `private_key_jwt`: an assertion that is signed with `clientKey` (RFC 7523).
 * - `none`: a public client.
 */
export type ClientAuthentication =
  | 'client_secret_basic'
  | 'client_secret_basic_raw'
  | 'client_secret_post'
  | 'private_key_jwt'
  | 'none';

/** The assertion of `private_key_jwt` (RFC 7523 section 3). */
export interface ClientAssertionOptions {
  /** `issuer`, `token_endpoint` (Okta), or an audience. Default: `issuer`. */
  readonly audience?: string | undefined;
  /** Further fields of its header, such as `x5t` (Entra ID); not `alg` and `typ`. Default: none. */
  readonly header?: Readonly<Record<string, string>> | undefined;
}

/** The endpoints of a provider without discovery. */
export interface ProviderEndpoints {
  readonly authorization: string;
  readonly token: string;
  /** Identifies the user if there is no ID token. */
  readonly userInfo?: string | undefined;
  /**
   * RFC 7009, or as `revocationRequest` describes it; `{clientId}` in its path is replaced. Absent: tokens are not
   * revoked, unless `revoke` is set.
   */
  readonly revocation?: string | undefined;
  /** RFC 8628. Required for `deviceFlow`. */
  readonly deviceAuthorization?: string | undefined;
  /** RFC 9126. Required for `pushedAuthorization`. */
  readonly pushedAuthorization?: string | undefined;
  /** The provider's keys (RFC 7517), for its logout tokens. Absent: it cannot announce logouts. */
  readonly jwks?: string | undefined;
}

/**
 * The device flow (RFC 8628), in which users enter a code at the provider's page.
 *
 * - `allowed`: the `login` tool has an argument that selects it.
 * - `only`: every login uses it, for servers that browsers cannot reach.
 */
export type DeviceFlow = 'allowed' | 'only';

/** What identifies the user: the ID token, the user info endpoint, or the response of the token endpoint (Notion). */
export type IdentitySource = 'id_token' | 'user_info' | 'token_response';

/** Where the user's identifier and name are: names of fields, or JSON Pointers that begin with `/`. */
export interface IdentityFields {
  /**
   * Several fields identify the user together, such as workspace and user. The subject contains each in its place,
   * separated by `/`, and an empty text for an absent one. Only the last is required.
   */
  readonly subject: string | readonly string[];
  readonly name?: string | undefined;
}

/** How a provider's user info is requested, if a GET does not do. */
export interface UserInfoRequest {
  /** `POST`: Dropbox, and GraphQL (Linear). Default: `GET`. */
  readonly method?: 'GET' | 'POST' | undefined;
  /** Such as `Notion-Version`; not `authorization`, `host` and `content-length`. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent with POST, as `application/json` unless `headers` says otherwise. Default: none. */
  readonly body?: string | undefined;
}

/** A field of the token response that contains the origin of a user's API. */
export interface ApiOriginField {
  /** One of `tokenFields`. */
  readonly field: string;
  /**
   * The domains of the provider, such as `my.salesforce.com`. The origin is used if its host is one of them or below
   * one of them, and if it has https and no port. Otherwise it is ignored and logged.
   */
  readonly domains: readonly string[];
}

/**
 * What ends at the provider when a token is revoked.
 *
 * - `token`: the tokens of that login (RFC 7009). They are revoked when the login ends.
 * - `grant`: every token that the user granted to this client. The tokens of a login are revoked when no other login of
 *   that user is left here; the tokens of failed logins are not revoked.
 * - `none`: nothing. Tokens are not revoked, and stay valid at the provider until they expire.
 */
export type RevocationScope = 'token' | 'grant' | 'none';

/** How a revocation differs from RFC 7009. */
export interface RevocationRequest {
  /** Default: `POST`. */
  readonly method?: 'POST' | 'DELETE' | undefined;
  /** Default: `form`. */
  readonly body?: 'form' | 'json' | undefined;
  /** The field of the body that contains the token. Default: `token`. */
  readonly tokenField?: string | undefined;
  /** The tokens that are revoked. Default: `both`. */
  readonly tokens?: 'refresh' | 'access' | 'both' | undefined;
  /**
   * `client`: the client's authentication; a secret is sent in an Authorization header, unless `clientAuthentication`
   * is `client_secret_post` and the body a form. `bearer`: the access token. Default: `client`.
   */
  readonly authentication?: 'client' | 'bearer' | undefined;
  /** Such as `Notion-Version`; not `authorization`, `host` and `content-length`. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** The tokens of a login that ends. */
export interface RevocableTokens {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
}
