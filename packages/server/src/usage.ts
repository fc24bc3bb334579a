import { LOG_LEVELS } from './flags.js';

/** The text of `--help`. */
export const USAGE: string = `Usage: mcp-sessions-server [options]
       mcp-sessions-server check [--json] [options]
       mcp-sessions-server keygen

Serves MCP. Every client that connects logs in as its own user. With check: contacts your provider without a
user, prints what is right and what to change, and exits with 0, 1 (a check failed) or 2 (wrong settings).
With keygen: prints a new master key.

  --stdio                        serve the client that starts this process, over stdin and stdout;
                                 every process has its own session
  --no-browser                   with --stdio: do not open a browser for logins
  --callback-port <port>         with --stdio: port of the redirect URI (any free port)
  --callback-host <host>         with --stdio: host of the redirect URI, 127.0.0.1 (the default) or localhost
  --host <address>               address to bind (127.0.0.1); others than loopback need a real provider
  --access <mode>                open: clients on this machine (the default); bearer: clients with an access
                                 token; open-to-network: every client, from any machine
  --device-flow <allowed|only>   allowed: users of the embedded provider may log in with a code instead of
                                 a link; only: they have to
  --elicitation <auto|never>     auto: ask clients that declare URL elicitation to open the link of a login
                                 (the default); never: the model shows the link
  --dispatch <direct|sdk>        direct: call tools without the dispatch of the MCP SDK where the answer is the
                                 same (the default); sdk: never
  --port <port>                  port of the MCP server (3000); 0: any free port
  --keep-alive-seconds <n>       idle timeout of connections (65); set it longer than the idle timeout of the
                                 load balancer
  --idp-port <port>              port of the embedded identity provider (3001; with --stdio: any free port)
  --api-port <port>              port of the embedded notes API (3002; with --stdio: any free port)
  --access-token-seconds <n>     lifetime of the embedded notes API's access tokens (120)
  --tools <module>               your tools: a module whose default export is a function
                                 (server, context) => void that registers them
  --idle-seconds <n>             sign out after this time without a request (1800)
  --absolute-seconds <n>         sign out this time after the login (43200)
  --grace-seconds <n>            sign out this time after the client has disconnected (120); 0: at once
  --drain-seconds <n>            when stopping, time for calls in flight to finish, and then again for
                                 revocations (10; with --stdio: 1)
  --max-sessions <n>             maximum number of sessions (10000)
  --log-level <level>            ${LOG_LEVELS.join(', ')} (warn); logs go to stderr
  --allow-debugging              start although --inspect or a similar setting exposes tokens
  --json                         print the addresses as one line of JSON on stdout; with check: the reports
  --help, --version

Environment variables for a real identity provider (--tools is required then):

  MCP_SESSIONS_PROVIDER              a provider with a preset (docs/providers.md); other variables change it: github,
                                     githubApp, slackUser, slackBot, notion, atlassian, hubspot, x, strava,
                                     quickbooks, zoho, google, entra, salesforce, linkedin, cognito, keycloak
  MCP_SESSIONS_ISSUER                its issuer identifier; with most presets not needed
  MCP_SESSIONS_PROVIDER_DISPLAY_NAME its name on the login pages (its host)
  MCP_SESSIONS_CLIENT_ID             client id of this server
  MCP_SESSIONS_CLIENT_SECRET         client secret; none: a public client
  MCP_SESSIONS_CLIENT_AUTHENTICATION client_secret_basic or client_secret_post (with a secret), private_key_jwt (with
                                     a key), none, or client_secret_basic_raw: without form encoding
  MCP_SESSIONS_CLIENT_KEY            private key as a JSON Web Key
  MCP_SESSIONS_SCOPES                scopes to request, separated by spaces
  MCP_SESSIONS_AUTHORIZATION_PARAMS  JSON object of further authorization parameters
  MCP_SESSIONS_DEVICE_FLOW           allowed: users may log in with a code that they enter at the provider;
                                     only: they have to. The server cannot verify who enters the code
  MCP_SESSIONS_PKCE                  S256: it supports PKCE although its metadata does not say so; off: it refuses
                                     PKCE (confidential clients only)
  MCP_SESSIONS_API_ORIGINS           origins that receive the access token, separated by spaces
  MCP_SESSIONS_PUBLIC_URL            URL at which browsers reach this server, with its path
  MCP_SESSIONS_TRUSTED_PROXIES       proxies in front of it, as addresses or ranges such as 10.0.0.0/8: their
                                     X-Forwarded-For contains the address of the client

For several servers with the same sessions (docs/cluster.md):

  MCP_SESSIONS_REDIS_URL             Redis or Valkey: redis://user:password@host:port; rediss:// with TLS
  MCP_SESSIONS_REDIS_SENTINELS       or its sentinels, as host:port separated by spaces
  MCP_SESSIONS_REDIS_SENTINEL_NAME   the name of the primary at the sentinels
  MCP_SESSIONS_REDIS_USERNAME        the user of the engine behind sentinels
  MCP_SESSIONS_REDIS_PASSWORD        its password
  MCP_SESSIONS_REDIS_NAMESPACE       tells several clusters in one engine apart (ms)
  MCP_SESSIONS_MASTER_KEYS_FILE      file with the master keys, the newest first, from keygen; readable by its
                                     owner only
  MCP_SESSIONS_MASTER_KEYS           the master keys themselves, separated by spaces

For providers that differ from the standard (docs/providers.md):

  MCP_SESSIONS_ENDPOINTS             without discovery: JSON object with authorization, token, userInfo, revocation,
                                     deviceAuthorization, pushedAuthorization, jwks
  MCP_SESSIONS_CLIENT_ASSERTION      JSON object: audience (issuer, token_endpoint or another) and header of the
                                     assertion of private_key_jwt
  MCP_SESSIONS_NONCE                 off: its ID tokens have no nonce
  MCP_SESSIONS_ID_TOKEN_ALGORITHMS   algorithms that an ID token may have, separated by spaces
  MCP_SESSIONS_ID_TOKEN_AUDIENCES    audiences that an ID token may name besides this client
  MCP_SESSIONS_CLOCK_TOLERANCE_SECONDS
                                     by how much its clock may differ (60)
  MCP_SESSIONS_TOKEN_TYPES           token types that are used as bearer tokens, separated by commas (Bearer)
  MCP_SESSIONS_TOKENS_AT             JSON Pointer to the object with the access token in its answer
  MCP_SESSIONS_TOKEN_FIELDS          fields of its token answer that tools see, separated by spaces
  MCP_SESSIONS_CALLBACK_FIELDS       parameters of the callback that tools see, separated by spaces
  MCP_SESSIONS_API_ORIGIN_FIELD      JSON object: the field of the token answer with the origin of a user's API, and
                                     the domains it may be in
  MCP_SESSIONS_SCOPE_SEPARATOR       space or comma, between scopes
  MCP_SESSIONS_SCOPE_PARAMETER       authorization parameter that contains the scopes (scope)
  MCP_SESSIONS_RESOURCE              APIs that the tokens are for, as URIs separated by spaces
  MCP_SESSIONS_PUSHED_AUTHORIZATION  true: send authorization requests to it directly
  MCP_SESSIONS_RESPONSE_MODE         query (the default) or form_post
  MCP_SESSIONS_IDENTITY_SOURCE       id_token, user_info or token_response
  MCP_SESSIONS_IDENTITY_FIELDS       JSON object: names or JSON Pointers of subject and name
  MCP_SESSIONS_USER_INFO_REQUEST     JSON object: method, headers and body of the user info request
  MCP_SESSIONS_REVOCATION            what a revocation ends: token (the default), grant or none
  MCP_SESSIONS_REVOCATION_REQUEST    JSON object: method, body, tokenField, tokens, authentication and headers of a
                                     revocation that differs from RFC 7009

Hosts and origins besides those of the public URL and, on this machine, localhost:

  MCP_SESSIONS_ALLOWED_HOSTS         host names of this server, separated by spaces
  MCP_SESSIONS_ALLOWED_ORIGINS       origins of pages that may call this server, separated by spaces, such as
                                     https://app.example.com or vscode-webview://…; in the demo, the MCP Inspector's

Limits (docs/limits.md):

  MCP_SESSIONS_LIMITS                JSON object of limits that differ from the defaults, for example
                                     {"loginStartsPerMinute":20}

Branding of the login pages:

  MCP_SESSIONS_DISPLAY_NAME          name of this server
  MCP_SESSIONS_LOGO                  path of a logo: a PNG, SVG or WebP file of at most 64 KiB

Access tokens of clients, with --access bearer:

  MCP_SESSIONS_ACCESS_ISSUER         issuer identifier of the authorization server
  MCP_SESSIONS_ACCESS_AUDIENCE       audience of its tokens (the endpoint's address)
  MCP_SESSIONS_ACCESS_CLIENT_IDS     ids of clients whose tokens are accepted (all); their tokens need no
                                     audience if they have token_use: access (Amazon Cognito)
  MCP_SESSIONS_ACCESS_SCOPES         scopes that every token needs
  MCP_SESSIONS_ACCESS_SUBJECT_CLAIM  claim that identifies the user (sub)
  MCP_SESSIONS_ACCESS_SESSION_CLAIM  claim that differs between sign-ins of a user, such as sid: each value has
                                     its own session (default: one for each user and client)
  MCP_SESSIONS_ACCESS_SESSION_PER_CONNECTION
                                     true: each 2025 connection has its own session
  MCP_SESSIONS_INTROSPECTION_CLIENT_ID, MCP_SESSIONS_INTROSPECTION_CLIENT_SECRET
                                     credentials of this server to introspect opaque tokens
  MCP_SESSIONS_SIGN_IN_CLIENT_ID, MCP_SESSIONS_SIGN_IN_CLIENT_SECRET
                                     registration of this server there (redirect URI: /login/sign-in): a login at
                                     another provider begins with a sign-in, so that the user who starts the
                                     login also finishes it
`;
