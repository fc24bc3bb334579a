import { describe, expect, it } from 'vitest';
import { parseCommand } from './command.js';
import type { Configuration } from './configuration.js';

const provider = { MCP_SESSIONS_ISSUER: 'https://idp.example', MCP_SESSIONS_CLIENT_ID: 'mcp' };
const tools = ['--tools', './tools.mjs'];

function configurationOf(argv: string[], environment: NodeJS.ProcessEnv = {}): Configuration {
  const command = parseCommand(argv, environment);
  if (command.kind !== 'serve') throw new Error(`Parsed as ${command.kind}.`);
  return command.configuration;
}

describe('the configuration', () => {
  it('is the sample on its default ports without flags', () => {
    expect(configurationOf([])).toMatchObject({
      transport: { kind: 'http', host: '127.0.0.1', port: 3000, isJson: false },
      allowDebugging: false,
      logLevel: 'warn',
      lifetimes: {},
      limits: {},
      elicitation: undefined,
      dispatch: undefined,
      hibernate: undefined,
      allowed: { allowedOrigins: ['http://localhost:6274', 'http://127.0.0.1:6274'] },
      branding: {},
      toolsModule: undefined,
      upstream: {
        kind: 'sample',
        identityProviderPort: 3001,
        apiPort: 3002,
        accessTokenSeconds: 120,
        isBearer: false,
        deviceFlow: undefined,
      },
    });
  });

  it('reads ports, lifetimes and the rest from the flags', () => {
    const argv = '--port 0 --idp-port 0 --api-port 8080 --access-token-seconds 10 --json --log-level info';
    const lifetimes =
      '--idle-seconds 60 --absolute-seconds 600 --grace-seconds 0 --keep-alive-seconds 90 --drain-seconds 25';
    expect(configurationOf(`${argv} ${lifetimes}`.split(' '))).toMatchObject({
      transport: { kind: 'http', port: 0, keepAliveMs: 90_000, isJson: true },
      allowDebugging: false,
      logLevel: 'info',
      lifetimes: { idleMs: 60_000, absoluteMs: 600_000, disconnectGraceMs: 0, shutdownDrainMs: 25_000 },
      upstream: { kind: 'sample', identityProviderPort: 0, apiPort: 8080, accessTokenSeconds: 10 },
    });
  });

  it('serves metrics only if they have a port, on loopback unless another address is set', () => {
    expect(configurationOf([]).transport).toMatchObject({ metrics: undefined });
    expect(configurationOf(['--metrics-port', '9464']).transport).toMatchObject({
      metrics: { host: '127.0.0.1', port: 9464 },
    });
    const environment = { MCP_SESSIONS_METRICS_PORT: '9464', MCP_SESSIONS_METRICS_HOST: '10.0.0.7' };
    expect(configurationOf([], environment).transport).toMatchObject({
      metrics: { host: '10.0.0.7', port: 9464 },
    });
  });

  it('reads the display name of the provider from the environment', () => {
    const environment = { ...provider, MCP_SESSIONS_PROVIDER_DISPLAY_NAME: 'Acme Staff' };
    expect(configurationOf(tools, environment).upstream).toMatchObject({
      providers: [{ displayName: 'Acme Staff' }],
    });
  });

  it('keeps the server objects of connections with --no-hibernate', () => {
    expect(configurationOf(['--no-hibernate'])).toMatchObject({ hibernate: false });
  });

  it('leaves the dispatch of calls to the SDK with --dispatch sdk', () => {
    expect(configurationOf(['--dispatch', 'sdk'])).toMatchObject({ dispatch: 'sdk' });
    expect(() => configurationOf(['--dispatch', 'fast'])).toThrow(/--dispatch must be one of direct, sdk/);
  });

  it('turns elicitation off with --elicitation never, over HTTP and over stdio', () => {
    expect(configurationOf(['--elicitation', 'never'])).toMatchObject({ elicitation: 'never' });
    expect(configurationOf(['--stdio', '--elicitation', 'auto'])).toMatchObject({ elicitation: 'auto' });
    expect(() => configurationOf(['--elicitation', 'sometimes'])).toThrow(/--elicitation must be one of/);
  });

  it('uses no fixed port over stdio by default, and opens a browser by default', () => {
    expect(configurationOf(['--stdio'])).toMatchObject({
      transport: { kind: 'stdio', openBrowser: true },
      upstream: { kind: 'sample', identityProviderPort: 0, apiPort: 0 },
    });
    expect(configurationOf('--stdio --no-browser --idp-port 4001 --api-port 4002'.split(' '))).toMatchObject({
      transport: { kind: 'stdio', openBrowser: false },
      upstream: { kind: 'sample', identityProviderPort: 4001, apiPort: 4002 },
    });
    expect(configurationOf(['--stdio', ...tools], provider).upstream.kind).toBe('operator');
  });

  it('allows the pages of the MCP Inspector for the demo by default, and for no other server [security 43]', () => {
    const allowedIn = (argv: string[], environment: NodeJS.ProcessEnv) =>
      configurationOf(argv, environment).allowed;
    expect(allowedIn(tools, provider)).toEqual({});
    expect(allowedIn(['--stdio'], {})).toEqual({});
    const listed = {
      MCP_SESSIONS_ALLOWED_HOSTS: 'mcp.internal, 10.0.3.7',
      MCP_SESSIONS_ALLOWED_ORIGINS: 'vscode-webview://1a2b https://app.example',
    };
    for (const argv of [[], tools]) {
      const environment = argv.length > 0 ? { ...provider, ...listed } : listed;
      expect(allowedIn(argv, environment)).toEqual({
        allowedHosts: ['mcp.internal', '10.0.3.7'],
        allowedOrigins: ['vscode-webview://1a2b', 'https://app.example'],
      });
    }
  });

  it('trusts the proxies that the environment names, and no others [security 39]', () => {
    const upstreamOf = (more: NodeJS.ProcessEnv) => configurationOf(tools, { ...provider, ...more }).upstream;
    const MCP_SESSIONS_TRUSTED_PROXIES = '10.0.0.0/8, fd00::/8';
    expect(upstreamOf({ MCP_SESSIONS_TRUSTED_PROXIES })).toMatchObject({
      trustedProxies: ['10.0.0.0/8', 'fd00::/8'],
    });
    expect(upstreamOf({})).toMatchObject({ trustedProxies: undefined });
  });

  it('reads the access options from the environment', () => {
    const environment = {
      ...provider,
      MCP_SESSIONS_ACCESS_ISSUER: 'https://as.example',
      MCP_SESSIONS_ACCESS_SCOPES: 'mcp notes',
      MCP_SESSIONS_ACCESS_CLIENT_IDS: 'editor, terminal',
      MCP_SESSIONS_ACCESS_SESSION_CLAIM: 'sid',
      MCP_SESSIONS_ACCESS_SESSION_PER_CONNECTION: 'true',
      MCP_SESSIONS_INTROSPECTION_CLIENT_ID: 'api',
      MCP_SESSIONS_INTROSPECTION_CLIENT_SECRET: 'secret',
    };
    expect(configurationOf(tools, environment).upstream).toMatchObject({
      access: {
        issuer: 'https://as.example',
        requiredScopes: ['mcp', 'notes'],
        clientIds: ['editor', 'terminal'],
        sessionClaim: 'sid',
        sessionPerConnection: true,
        introspection: { clientId: 'api', clientSecret: 'secret' },
      },
    });
    expect(configurationOf([...tools, '--access', 'open-to-network'], provider).upstream).toMatchObject({
      access: 'open-to-network',
    });
    expect(configurationOf(['--access', 'bearer']).upstream).toMatchObject({
      kind: 'sample',
      isBearer: true,
    });
  });

  it('turns the device flow on only if it is configured', () => {
    expect(configurationOf(['--device-flow', 'only']).upstream).toMatchObject({ deviceFlow: 'only' });
    expect(configurationOf(['--stdio', '--device-flow', 'allowed']).upstream).toMatchObject({
      deviceFlow: 'allowed',
    });
    const environment = { ...provider, MCP_SESSIONS_DEVICE_FLOW: 'allowed' };
    expect(configurationOf(tools, environment).upstream).toMatchObject({
      providers: [{ deviceFlow: 'allowed' }],
    });
    expect(configurationOf(tools, provider).upstream).not.toHaveProperty('providers.0.deviceFlow', 'allowed');
    expect(() => configurationOf([...tools, '--device-flow', 'only'], provider)).toThrow(
      'MCP_SESSIONS_DEVICE_FLOW',
    );
    for (const wrong of ['yes', 'true', 'off'])
      expect(() => configurationOf(tools, { ...provider, MCP_SESSIONS_DEVICE_FLOW: wrong })).toThrow(
        'must be one of',
      );
  });

  it('reads a real provider from the environment', () => {
    const environment = {
      ...provider,
      MCP_SESSIONS_CLIENT_SECRET: 'secret',
      MCP_SESSIONS_SCOPES: 'openid  notes',
      MCP_SESSIONS_AUTHORIZATION_PARAMS: '{"audience":"https://api.example"}',
      MCP_SESSIONS_API_ORIGINS: 'https://api.example/, http://127.0.0.1:8080',
      MCP_SESSIONS_PUBLIC_URL: 'https://mcp.example',
    };
    expect(configurationOf(tools, environment).upstream).toEqual({
      kind: 'operator',
      providers: [
        {
          issuer: 'https://idp.example',
          clientId: 'mcp',
          clientSecret: 'secret',
          scopes: ['openid', 'notes'],
          authorizationParams: { audience: 'https://api.example' },
          apiOrigins: ['https://api.example', 'http://127.0.0.1:8080'],
        },
      ],
      publicUrl: 'https://mcp.example',
      access: 'open',
      toolsModule: './tools.mjs',
    });
  });

  it('reads a provider without discovery from the environment', () => {
    const environment = {
      ...provider,
      MCP_SESSIONS_ENDPOINTS: '{"authorization":"https://idp.example/a","token":"https://idp.example/t"}',
      MCP_SESSIONS_PKCE: 'S256',
      MCP_SESSIONS_IDENTITY_FIELDS: '{"subject":"id","name":"login"}',
      MCP_SESSIONS_CLIENT_AUTHENTICATION: 'private_key_jwt',
      MCP_SESSIONS_CLIENT_KEY: '{"kty":"EC","alg":"ES256","d":"…"}',
    };
    expect(configurationOf(tools, environment).upstream).toMatchObject({
      providers: [
        {
          endpoints: { authorization: 'https://idp.example/a', token: 'https://idp.example/t' },
          pkce: 'S256',
          identityFields: { subject: 'id', name: 'login' },
          clientAuthentication: 'private_key_jwt',
          clientKey: { kty: 'EC', alg: 'ES256', d: '…' },
        },
      ],
    });
  });

  it('changes limits, also with the sample', () => {
    const limits = { MCP_SESSIONS_LIMITS: '{"loginStartsPerMinute":20,"pendingLogins":50}' };
    for (const configuration of [
      configurationOf(['--max-sessions', '500'], limits),
      configurationOf(['--max-sessions', '500', ...tools], { ...provider, ...limits }),
    ]) {
      expect(configuration.limits).toEqual({
        loginStartsPerMinute: 20,
        pendingLogins: 50,
        maxSessions: 500,
      });
    }
  });

  it('reads the name and the logo, also with the sample', () => {
    const branding = { MCP_SESSIONS_DISPLAY_NAME: 'Acme Notes', MCP_SESSIONS_LOGO: 'acme.png' };
    for (const { branding: shown } of [
      configurationOf([], branding),
      configurationOf(tools, { ...provider, ...branding }),
    ]) {
      expect(shown).toEqual({ name: 'Acme Notes', logo: 'acme.png' });
    }
  });

  it('treats an empty variable as not set', () => {
    expect(configurationOf([], { MCP_SESSIONS_ISSUER: '' }).upstream.kind).toBe('sample');
    const { upstream } = configurationOf(tools, { ...provider, MCP_SESSIONS_CLIENT_SECRET: ' ' });
    expect(upstream).toMatchObject({
      kind: 'operator',
      providers: [{ issuer: 'https://idp.example' }],
    });
    expect(upstream).not.toHaveProperty('providers.0.clientSecret');
  });

  it('gives --help and --version precedence', () => {
    expect(parseCommand(['--help'], {})).toEqual({ kind: 'help' });
    expect(parseCommand(['--version', '--port', '0'], {})).toEqual({ kind: 'version' });
  });
});

describe('an invalid configuration is refused in one line that says what to do', () => {
  it.each([
    [
      'an unknown flag',
      ['--prot', '1'],
      {},
      "Unknown option '--prot'. Did you mean --port? Run with --help to see all settings.",
    ],
    [
      'a positional argument',
      ['serve'],
      {},
      "Unexpected argument 'serve'. Run with --help to see all settings.",
    ],
    [
      'check after a flag',
      ['--json', 'check'],
      {},
      "Unexpected argument 'check'. Write it before the flags.",
    ],
    [
      'a flag without a value',
      ['--port'],
      {},
      /^Option '--port <value>' argument missing[.] Run with --help/,
    ],
    ['a port that is not a number', ['--port', 'abc'], {}, /^--port must be a port from 0 to 65535[.]/],
    ['an empty port', ['--port='], {}, /^--port must be a port/],
    ['a port above 65535', ['--api-port', '65536'], {}, /^--api-port must be a port/],
    [
      'a lifetime of 0',
      ['--access-token-seconds', '0'],
      {},
      /^--access-token-seconds must be a whole number/,
    ],
    ['an unknown log level', ['--log-level', 'loud'], {}, /^--log-level must be one of silent, error/],
    [
      'one port for two servers',
      ['--port', '3001'],
      {},
      /^Port 3001 is used twice[.] Give --port, --idp-port/,
    ],
    [
      'one port for two servers over stdio',
      ['--stdio', '--idp-port', '4000', '--api-port', '4000'],
      {},
      'Port 4000 is used twice. Give --idp-port and --api-port different ports, or 0 for any free port.',
    ],
    ['a port over stdio', ['--stdio', '--port', '0'], {}, /^With --stdio, .* Remove --port or --stdio[.]$/],
    ['--json over stdio', ['--stdio', '--json'], {}, /^With --stdio, .* Remove --json or/],
    ['--no-browser over HTTP', ['--no-browser'], {}, /^Only --stdio opens a browser[.] Remove/],
    [
      'a public URL over stdio',
      ['--stdio', ...tools],
      { ...provider, MCP_SESSIONS_PUBLIC_URL: 'https://mcp.example' },
      /^With --stdio, .* Unset MCP_SESSIONS_PUBLIC_URL[.]$/,
    ],
    [
      'an address over stdio',
      ['--stdio', '--host', '127.0.0.1'],
      {},
      /^With --stdio, .* --host or --stdio[.]$/,
    ],
    ['metrics over stdio', ['--stdio', '--metrics-port', '9464'], {}, /Remove --metrics-port or --stdio[.]$/],
    [
      'an idle timeout of connections over stdio',
      ['--stdio', '--keep-alive-seconds', '90'],
      {},
      /^With --stdio, .* --keep-alive-seconds or --stdio[.]$/,
    ],
    [
      'a number of sessions over stdio',
      ['--stdio', '--max-sessions', '5'],
      {},
      /^With --stdio, .* --max-sessions or --stdio[.]$/,
    ],
    ['no sessions', ['--max-sessions', '0'], {}, /^--max-sessions must be a whole number from 1 to /],
    [
      'limits that are not an object',
      [],
      { MCP_SESSIONS_LIMITS: '5' },
      /^MCP_SESSIONS_LIMITS must be a JSON object/,
    ],
    [
      'a limit that is not a number',
      [],
      { MCP_SESSIONS_LIMITS: '{"connections":"5"}' },
      /^MCP_SESSIONS_LIMITS: connections must be a whole number, at least 1/,
    ],
    [
      'an access mode over stdio',
      ['--stdio', '--access', 'open'],
      {},
      /^With --stdio, .* --access or --stdio[.]$/,
    ],
    ['an unknown access mode', ['--access', 'closed'], {}, /^--access must be one of open, /],
    [
      'the sample for the network',
      ['--access', 'open-to-network'],
      {},
      /^The embedded .* serves this machine only/,
    ],
    ['the sample on every address', ['--host', '0.0.0.0'], {}, /^The embedded .* serves this machine only/],
    [
      'an access issuer for the sample',
      [],
      { MCP_SESSIONS_ACCESS_ISSUER: 'https://as.example' },
      /^MCP_SESSIONS_ACCESS_ISSUER is set but MCP_SESSIONS_ISSUER is not/,
    ],
    [
      'bearer access without an issuer',
      [...tools, '--access', 'bearer'],
      provider,
      /^Bearer access needs .*ISSUER/,
    ],
    [
      'an access issuer without bearer access',
      [...tools, '--access', 'open'],
      { ...provider, MCP_SESSIONS_ACCESS_ISSUER: 'https://as.example' },
      /^MCP_SESSIONS_ACCESS_ISSUER needs --access bearer/,
    ],
    [
      'credentials for introspection without their secret',
      tools,
      {
        ...provider,
        MCP_SESSIONS_ACCESS_ISSUER: 'https://as.example',
        MCP_SESSIONS_INTROSPECTION_CLIENT_ID: 'api',
      },
      /^MCP_SESSIONS_INTROSPECTION_CLIENT_SECRET is missing/,
    ],
    [
      'a secret without a registration',
      tools,
      {
        ...provider,
        MCP_SESSIONS_ACCESS_ISSUER: 'https://as.example',
        MCP_SESSIONS_SIGN_IN_CLIENT_SECRET: 'secret',
      },
      /^MCP_SESSIONS_SIGN_IN_CLIENT_ID is missing/,
    ],
    ['a provider without tools', [], provider, /^MCP_SESSIONS_ISSUER is set, .*--tools [.]\/tools[.]mjs$/],
    [
      'a provider without a client id',
      tools,
      { MCP_SESSIONS_ISSUER: provider.MCP_SESSIONS_ISSUER },
      /^MCP_SESSIONS_CLIENT_ID is missing/,
    ],
    [
      'a provider without its issuer',
      tools,
      { MCP_SESSIONS_CLIENT_ID: 'mcp' },
      /^MCP_SESSIONS_CLIENT_ID is set but MCP_SESSIONS_ISSUER is not/,
    ],
    [
      'an issuer that is not a URL',
      tools,
      { ...provider, MCP_SESSIONS_ISSUER: 'idp' },
      /^MCP_SESSIONS_ISSUER must be the URL/,
    ],
    [
      'parameters that are not JSON',
      tools,
      { ...provider, MCP_SESSIONS_AUTHORIZATION_PARAMS: '{' },
      /^MCP_SESSIONS_AUTHORIZATION_PARAMS is not JSON/,
    ],
    [
      'parameters that are not strings',
      tools,
      { ...provider, MCP_SESSIONS_AUTHORIZATION_PARAMS: '{"a":1}' },
      /^MCP_SESSIONS_AUTHORIZATION_PARAMS: a must be text/,
    ],
    [
      'an API origin with a path',
      tools,
      { ...provider, MCP_SESSIONS_API_ORIGINS: 'https://a.example/v1' },
      /^MCP_SESSIONS_API_ORIGINS: 0 must be an origin/,
    ],
    [
      'a public URL that is not a URL',
      tools,
      { ...provider, MCP_SESSIONS_PUBLIC_URL: 'mcp' },
      /^MCP_SESSIONS_PUBLIC_URL must be a URL/,
    ],
  ])('%s', (_case, argv, environment, message) => {
    expect(() => parseCommand(argv, environment)).toThrow(message);
    expect(() => parseCommand(argv, environment)).toThrow(/^[^\n]+$/);
  });
});
