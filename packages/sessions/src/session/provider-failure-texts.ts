/** Why requests to providers fail, in the log and in events. docs/providers.md has a table of them. */
export const PROVIDER_FAILURE_REASONS = [
  // The network.
  'name_not_resolved',
  'connection_failed',
  'connection_lost',
  'timeout',
  'certificate_untrusted',
  'tls_failed',
  // The metadata.
  'discovery_failed',
  'issuer_mismatch',
  'metadata_invalid',
  'endpoint_insecure',
  'endpoint_missing',
  'pkce_unsupported',
  // The keys of logout tokens and of the access tokens of clients.
  'keys_failed',
  'keys_invalid',
  // The authorization response.
  'authorization_denied',
  'authorization_error',
  'response_issuer',
  'response_invalid',
  // The token endpoint, and those of pushed authorization requests, device authorization and introspection.
  'provider_busy',
  'html_answer',
  'client_key_invalid',
  'client_rejected',
  'grant_rejected',
  'token_error',
  'token_answer_invalid',
  'token_type',
  // The ID token.
  'id_token_missing',
  'id_token_malformed',
  'id_token_encrypted',
  'id_token_algorithm',
  'id_token_claim',
  // The option `revoke`.
  'revoke_failed',
  // The user.
  'user_info_rejected',
  'user_info_failed',
  'user_info_invalid',
  'user_info_mismatch',
  'identity_missing',
] as const;

export type ProviderFailureReason = (typeof PROVIDER_FAILURE_REASONS)[number];

/** What operators and users read about a failure. */
export interface FailureText {
  /** For the page of the login and the answer of the tool; part of a sentence. */
  readonly short: string;
  /** The options or environment variables that can end the failure. */
  readonly setting?: string;
  /** For operators: what to compare and to change. */
  readonly advice: string;
}

/** The texts of all failures. Events, log, pages, tools, `check` and the documentation read them. */
export const FAILURE_TEXTS: Readonly<Record<ProviderFailureReason, FailureText>> = {
  name_not_resolved: {
    short: 'the host name of the provider was not found',
    setting: 'issuer, endpoints, HTTPS_PROXY',
    advice:
      'Check the host name in `endpoint` and the name resolution of this machine. If the machine reaches the internet only through a proxy, set HTTPS_PROXY.',
  },
  connection_failed: {
    short: 'this server could not connect to the provider',
    setting: 'issuer, endpoints, HTTPS_PROXY',
    advice:
      'Check the address in `endpoint`, the firewall, and the proxy that HTTPS_PROXY names. `code` is the error of the connection, `status` the response of the proxy.',
  },
  connection_lost: {
    short: 'the connection to the provider broke',
    advice: 'If it happens often, check the proxy and the firewall between this server and `endpoint`.',
  },
  timeout: {
    short: 'the provider did not respond in time',
    advice: 'If it happens often, check the proxy and the firewall between this server and `endpoint`.',
  },
  certificate_untrusted: {
    short: 'the TLS certificate of the provider is not trusted',
    setting: 'NODE_EXTRA_CA_CERTS',
    advice:
      'If a private authority signed the certificate of `endpoint`, set NODE_EXTRA_CA_CERTS to a file with the certificate of that authority. `code` says what is wrong; a certificate that has expired, or is for another host, has to be replaced at the provider.',
  },
  tls_failed: {
    short: 'the provider did not accept a TLS connection',
    setting: 'issuer, endpoints',
    advice: 'Check that the port in `endpoint` serves https, with TLS 1.2 or later.',
  },
  discovery_failed: {
    short: 'the metadata of the provider was not found',
    setting: 'issuer',
    advice:
      'Use the issuer exactly as the provider documents it, or the full address of its metadata document (`…/.well-known/…`), or set `endpoints`. Every address that was tried is listed with its answer.',
  },
  issuer_mismatch: {
    short: 'the metadata of the provider names another issuer',
    setting: 'issuer',
    advice:
      'The metadata names `received`, the configuration `expected`. If `received` is the provider that you mean, use it as the issuer, letter by letter, or use the full address of the metadata document (`…/.well-known/…`).',
  },
  metadata_invalid: {
    short: 'the metadata of the provider is not valid',
    setting: 'endpoints',
    advice: 'The document at `endpoint` is no metadata of RFC 8414. Check the issuer, or set `endpoints`.',
  },
  endpoint_insecure: {
    short: 'an endpoint of the provider does not use https',
    setting: 'issuer',
    advice:
      'The metadata contains `endpoint`. Behind a proxy, configure the public https address at the provider; or set `endpoints` to addresses with https.',
  },
  endpoint_missing: {
    short: 'the provider has no endpoint for this request',
    setting: 'endpoints',
    advice:
      'The metadata does not name the endpoint that this request needs. Set it, or turn off what needs it.',
  },
  pkce_unsupported: {
    short: 'the provider does not announce PKCE with S256',
    setting: 'pkce',
    advice:
      "If the provider supports PKCE, set `pkce: 'S256'`. If it refuses a code challenge, `pkce: 'off'` is possible for clients with a secret.",
  },
  keys_failed: {
    short: 'the keys of the provider were not found',
    setting: 'issuer, endpoints',
    advice:
      'The metadata names `endpoint` as the address of the keys (`jwks_uri`), and `status` is its answer. Check the issuer, or `endpoints.jwks`.',
  },
  keys_invalid: {
    short: 'the keys of the provider are not valid',
    setting: 'issuer, endpoints',
    advice:
      'The answer of `endpoint` is no JSON Web Key Set (RFC 7517 section 5). Check the issuer, or `endpoints.jwks`.',
  },
  authorization_denied: {
    short: 'the login was declined',
    advice:
      'Nothing has to change if the user declined. Otherwise, allow the user at the provider to use this client.',
  },
  authorization_error: {
    short: 'the provider rejected the login request',
    setting: 'scopes, authorizationParams',
    advice:
      '`oauthError` and `oauthDescription` are what the provider answered. Compare the request with the registration of the client.',
  },
  response_issuer: {
    short: 'the response to the login does not name the issuer of the provider',
    setting: 'issuer',
    advice:
      'The response of the login names `received` as its issuer (RFC 9207), or none, and the configuration `expected`. If this provider is configured correctly, another one tried to answer in its place.',
  },
  response_invalid: {
    short: 'the response of the provider to the login is not valid',
    setting: 'authorizationParams, responseMode',
    advice:
      'The response has no authorization code, or came to the redirect URI of another provider. Compare the redirect URI of the registration with the one of `check`.',
  },
  provider_busy: {
    short: 'the provider is overloaded or out of order',
    advice: '`status` is what the provider answered. Ask its operator if it lasts.',
  },
  html_answer: {
    short: 'the provider answered with a web page in place of data',
    advice:
      'The provider is under maintenance, or a firewall or proxy answers in its place. If it lasts, check the address in `endpoint`.',
  },
  client_key_invalid: {
    short: 'the private key of this server for the provider is not valid',
    setting: 'clientKey',
    advice: 'It should be `expected`. Pass the JSON Web Key as it was generated, with its private part.',
  },
  client_rejected: {
    short: 'the provider rejected the client registration of this server',
    setting: 'clientId, clientSecret, clientAuthentication',
    advice:
      'Compare the client id and secret with the registration, and the way in which the client authenticates. Some providers answer this if a code verifier (PKCE) is sent.',
  },
  grant_rejected: {
    short: 'the provider did not accept the code or token of this login',
    advice:
      'The user has to log in again. If every login fails, compare the redirect URI of the registration with the public URL of this server.',
  },
  token_error: {
    short: 'the provider rejected the request for tokens',
    setting: 'clientAuthentication, endpoints',
    advice:
      '`oauthError`, `oauthDescription` and `status` are what the provider answered. Compare the request with the documentation of its token endpoint.',
  },
  token_answer_invalid: {
    short: 'the answer of the provider contains no usable tokens',
    setting: 'endpoints, tokensAt',
    advice:
      'The answer of `endpoint` is not the answer of a token endpoint (RFC 6749 section 5.1). Check the address, and whether the tokens are in an object of the answer.',
  },
  token_type: {
    short: 'the tokens of the provider are of an unknown type',
    setting: 'tokenTypes',
    advice:
      'If the provider documents that tokens of the type `received` are sent as bearer tokens, add it to `tokenTypes`.',
  },
  id_token_missing: {
    short: 'the answer of the provider contains no ID token',
    setting: 'identitySource, scopes',
    advice: "If the provider has user info, set `identitySource: 'user_info'`.",
  },
  id_token_malformed: {
    short: 'the ID token of the provider is not a JWT',
    setting: 'identitySource',
    advice: "If the provider has user info, set `identitySource: 'user_info'`.",
  },
  id_token_encrypted: {
    short: 'the ID token of the provider is encrypted',
    setting: 'identitySource',
    advice:
      "Turn off the encryption of ID tokens in the registration of the client, or set `identitySource: 'user_info'`.",
  },
  id_token_algorithm: {
    short: 'the ID token of the provider has a signature algorithm that is not allowed',
    setting: 'idTokenAlgorithms',
    advice:
      "The ID token is signed with `received`. If the registration says so, add it to `idTokenAlgorithms`. `none` is not accepted: let the provider sign, or set `identitySource: 'user_info'`.",
  },
  id_token_claim: {
    short: 'the ID token of the provider is not valid',
    setting: 'issuer, clientId',
    advice:
      'The claim `claim` is `received` and should be `expected`. For times, compare the clock of this machine first.',
  },
  revoke_failed: {
    short: 'the function that revokes tokens failed',
    setting: 'revoke',
    advice:
      'The option `revoke` threw an error of the class `code`, or took more than five seconds (`TimeoutError`). The tokens may still be valid at the provider.',
  },
  user_info_rejected: {
    short: 'the user info endpoint of the provider rejected the access token',
    setting: 'scopes, userInfoRequest',
    advice: 'Add the scope that the user info needs, such as `openid` or `profile`.',
  },
  user_info_failed: {
    short: 'the user info endpoint of the provider answered with an error',
    setting: 'endpoints, userInfoRequest',
    advice:
      'Check the address in `endpoint`, and the method and headers that it needs. `status` is its answer.',
  },
  user_info_invalid: {
    short: 'the user info of the provider is not a JSON object',
    setting: 'endpoints, userInfoRequest',
    advice: 'Check the address in `endpoint`, and the method and headers that it needs.',
  },
  user_info_mismatch: {
    short: 'the user info of the provider is about another user than the ID token',
    setting: 'endpoints, identitySource',
    advice:
      'The claim `sub` of the user info at `endpoint` differs from that of the ID token (OpenID Connect Core section 5.3.2). Check that both come from the same provider and tenant. If the ID token identifies the users, remove `identitySource`.',
  },
  identity_missing: {
    short: 'the provider did not identify the user',
    setting: 'identityFields',
    advice:
      'The answer has no field `claim`. Set `identityFields` to the field, or the JSON Pointer, that contains the id of the user.',
  },
};

/**
 * The error codes of RFC 6749, 6750, 7009, 8628, 8707, 9126 and OpenID Connect Core. Pages and models see these only:
 * other codes are text of the provider.
 */
export const KNOWN_OAUTH_ERRORS: ReadonlySet<string> = new Set([
  'access_denied',
  'account_selection_required',
  'authorization_pending',
  'consent_required',
  'expired_token',
  'insufficient_scope',
  'interaction_required',
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'invalid_request_object',
  'invalid_request_uri',
  'invalid_scope',
  'invalid_target',
  'invalid_token',
  'login_required',
  'registration_not_supported',
  'request_not_supported',
  'request_uri_not_supported',
  'server_error',
  'slow_down',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
  'unsupported_token_type',
]);
