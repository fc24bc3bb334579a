import { LOG_LEVELS } from './flags.js';

/** The text of `--help`. */
export const USAGE: string = `Usage: mcp-sessions-server [options]

Serves MCP; every client that connects logs in as its own user.

  --stdio                        serve the client that starts this process, over stdin and stdout;
                                 every process is a session of its own
  --no-browser                   with --stdio: do not open a browser for logins, just give the link
  --host <address>               where to listen (127.0.0.1); beyond loopback with a real provider only
  --access <mode>                open: clients on this machine (the default); bearer: clients with an access
                                 token; open-to-network: every client, from any machine
  --device-flow <allowed|only>   users of the embedded provider may log in by a code instead of a link, or have to
  --elicitation <auto|never>     auto: ask clients that declare URL elicitation to open the link of a login
                                 (the default); never: the model shows the link
  --port <port>                  port of the MCP server (3000); 0: any free one
  --keep-alive-seconds <n>       how long to keep a connection between requests (65); set it longer than the
                                 load balancer in front keeps its connections
  --idp-port <port>              port of the embedded identity provider (3001; with --stdio: any free one)
  --api-port <port>              port of the embedded notes API (3002; with --stdio: any free one)
  --access-token-seconds <n>     lifetime of the embedded notes API's access tokens (120)
  --tools <module>               your own tools: a module whose default export is a function
                                 (server, sessions) => void that registers them
  --idle-seconds <n>             sign out after so long without a request (1800)
  --absolute-seconds <n>         sign out so long after the login (43200)
  --grace-seconds <n>            sign out so long after a client has gone (120); 0: at once
  --drain-seconds <n>            when stopping, how long to wait for calls in flight, and then as long again
                                 for revocations (10; with --stdio: 1)
  --max-sessions <n>             how many sessions there may be (10000)
  --log-level <level>            ${LOG_LEVELS.join(', ')} (warn); logs go to stderr
  --allow-debugging              start although --inspect or the like lets tokens be read
  --json                         print the addresses as one line of JSON on stdout
  --help, --version

With a real identity provider, by environment (--tools is required then):

  MCP_SESSIONS_ISSUER                its issuer identifier
  MCP_SESSIONS_PROVIDER_DISPLAY_NAME its name on the pages of a login (its host)
  MCP_SESSIONS_CLIENT_ID             this server's client id there
  MCP_SESSIONS_CLIENT_SECRET         its secret; none: a public client
  MCP_SESSIONS_CLIENT_AUTHENTICATION client_secret_basic (with a secret), client_secret_post,
                                     private_key_jwt (with a key) or none
  MCP_SESSIONS_CLIENT_KEY            its private key as a JSON Web Key
  MCP_SESSIONS_SCOPES                scopes to ask for, separated by spaces
  MCP_SESSIONS_AUTHORIZATION_PARAMS  JSON object of further authorization parameters
  MCP_SESSIONS_ENDPOINTS             for providers without discovery: JSON object with authorization,
                                     token, userInfo, revocation, deviceAuthorization
  MCP_SESSIONS_IDENTITY_FIELDS       JSON object: which fields of its user info are subject and name
  MCP_SESSIONS_DEVICE_FLOW           allowed: users may log in by a code that they type in at the provider;
                                     only: there is no other way. It cannot tell who types it in
  MCP_SESSIONS_PKCE                  S256: it supports PKCE although it does not say so
  MCP_SESSIONS_API_ORIGINS           origins that may be sent the token, separated by spaces
  MCP_SESSIONS_PUBLIC_URL            where browsers reach this server, with the path that it is mounted at
  MCP_SESSIONS_TRUSTED_PROXIES       proxies in front of it, as addresses or ranges such as 10.0.0.0/8: clients
                                     are told apart by what these say in X-Forwarded-For

Further hosts and origins, besides those of the public URL and, on this machine, localhost:

  MCP_SESSIONS_ALLOWED_HOSTS         host names of this server, separated by spaces
  MCP_SESSIONS_ALLOWED_ORIGINS       origins whose pages may call this server, separated by spaces, such as
                                     https://app.example.com or vscode-webview://…; the demo lists the MCP Inspector's

How much clients may ask for (docs/limits.md):

  MCP_SESSIONS_LIMITS                JSON object of what is not the default, for example {"loginStartsPerMinute":20}

What people see of this server during a login:

  MCP_SESSIONS_DISPLAY_NAME          its name
  MCP_SESSIONS_LOGO                  path of its logo: a PNG, SVG or WebP file of at most 64 KiB

Whose access tokens let clients in, with --access bearer:

  MCP_SESSIONS_ACCESS_ISSUER         issuer identifier of the authorization server
  MCP_SESSIONS_ACCESS_AUDIENCE       audience of its tokens (the endpoint's address)
  MCP_SESSIONS_ACCESS_CLIENT_IDS     ids of clients whose tokens are accepted (all); their tokens need no
                                     audience if they have token_use: access (Amazon Cognito)
  MCP_SESSIONS_ACCESS_SCOPES         scopes that every client needs
  MCP_SESSIONS_ACCESS_SUBJECT_CLAIM  the claim that says who is calling (sub)
  MCP_SESSIONS_ACCESS_SESSION_CLAIM  a claim that differs between a user's sign-ins, such as sid: each value
                                     has a session (one for each user and client)
  MCP_SESSIONS_ACCESS_SESSION_PER_CONNECTION
                                     true: each 2025 connection has its own session
  MCP_SESSIONS_INTROSPECTION_CLIENT_ID, MCP_SESSIONS_INTROSPECTION_CLIENT_SECRET
                                     this server's credentials for asking about opaque tokens
  MCP_SESSIONS_SIGN_IN_CLIENT_ID, MCP_SESSIONS_SIGN_IN_CLIENT_SECRET
                                     this server's registration there (redirect URI: /login/sign-in): a login at
                                     another provider begins with signing in, so that the user who starts a
                                     login also finishes it
`;
