import { createSessions, type ProviderOptions } from 'mcp-sessions';
import { PRESETS, type PresetName } from 'mcp-sessions/providers';
import { describe, expect, it } from 'vitest';
import { parseCommand } from './command.js';
import type { Configuration } from './configuration.js';
import { variableOf } from './setting-names.js';
import { startFailure } from './start-failure.js';
import { USAGE } from './usage.js';

type Option = Exclude<keyof ProviderOptions, 'revoke'>;

/** A value of each variable, and the option that it sets. The compiler requires every option. */
const VALUES: { readonly [O in Option]: readonly [text: string, value: ProviderOptions[O]] } = {
  issuer: ['https://idp.example', 'https://idp.example'],
  name: ['acme', 'acme'],
  displayName: ['Acme Staff', 'Acme Staff'],
  endpoints: [
    '{"authorization":"https://idp.example/a","token":"https://idp.example/t","jwks":"https://idp.example/j"}',
    { authorization: 'https://idp.example/a', token: 'https://idp.example/t', jwks: 'https://idp.example/j' },
  ],
  clientId: ['mcp', 'mcp'],
  clientSecret: ['s', 's'],
  clientKey: ['{"kty":"EC","alg":"ES256"}', { kty: 'EC', alg: 'ES256' }],
  clientAssertion: [
    '{"audience":"token_endpoint","header":{"x5t":"a"}}',
    { audience: 'token_endpoint', header: { x5t: 'a' } },
  ],
  clientAuthentication: ['client_secret_basic_raw', 'client_secret_basic_raw'],
  scopes: ['openid, notes', ['openid', 'notes']],
  scopeSeparator: ['comma', ','],
  scopeParameter: ['user_scope', 'user_scope'],
  authorizationParams: ['{"audience":"api"}', { audience: 'api' }],
  resource: ['https://api.example https://b.example', ['https://api.example', 'https://b.example']],
  pushedAuthorization: ['true', true],
  responseMode: ['form_post', 'form_post'],
  deviceFlow: ['only', 'only'],
  pkce: ['off', 'off'],
  nonce: ['off', 'off'],
  idTokenAlgorithms: ['RS256 ES256', ['RS256', 'ES256']],
  idTokenAudiences: ['a b', ['a', 'b']],
  clockToleranceSeconds: ['300', 300],
  tokenTypes: ['Bearer, User Access Token', ['Bearer', 'User Access Token']],
  tokensAt: ['/authed_user', '/authed_user'],
  tokenFields: ['instance_url /team/id', ['instance_url', '/team/id']],
  callbackFields: ['realmId', ['realmId']],
  identitySource: ['token_response', 'token_response'],
  identityFields: ['{"subject":"/data/id"}', { subject: '/data/id' }],
  userInfoRequest: ['{"method":"POST"}', { method: 'POST' }],
  apiOrigins: ['https://api.example/', ['https://api.example']],
  apiOriginField: [
    '{"field":"instance_url","domains":["my.salesforce.com"]}',
    { field: 'instance_url', domains: ['my.salesforce.com'] },
  ],
  revocation: ['grant', 'grant'],
  revocationRequest: ['{"method":"DELETE"}', { method: 'DELETE' }],
};
const required = { MCP_SESSIONS_ISSUER: 'https://idp.example', MCP_SESSIONS_CLIENT_ID: 'mcp' };
const tools = ['--tools', './tools.mjs'];

describe('the variables of the provider', () => {
  it.each(Object.entries(VALUES))('set the option %s', (option, [text, value]) => {
    const environment = { ...required, [variableOf(option)]: text };
    expect(providerOf(environment)).toMatchObject({ [option]: value });
  });

  it('have the names of the options, except for the display name', () => {
    expect(variableOf('idTokenAlgorithms')).toBe('MCP_SESSIONS_ID_TOKEN_ALGORITHMS');
    expect(variableOf('displayName')).toBe('MCP_SESSIONS_PROVIDER_DISPLAY_NAME');
    expect(variableOf('NODE_EXTRA_CA_CERTS')).toBe('NODE_EXTRA_CA_CERTS');
  });

  it.each([
    ['clientAuthentication', 'basic', 'must be one of client_secret_basic, '],
    ['pkce', 'plain', 'must be one of S256, off'],
    ['nonce', 'none', 'must be one of required, off'],
    ['scopeSeparator', ';', 'must be space or comma'],
    ['pushedAuthorization', 'yes', 'must be true'],
    ['responseMode', 'fragment', 'must be one of query, form_post'],
    ['clockToleranceSeconds', '1.5', 'must be a whole number'],
    ['identitySource', 'cookie', 'must be one of id_token, '],
    ['revocation', 'all', 'must be one of token, grant, none'],
    ['revocationRequest', '[]', 'must be a JSON object'],
    ['userInfoRequest', '{', 'is not JSON'],
  ])('are refused by name: %s', (option, text, message) => {
    const environment = { ...required, [variableOf(option)]: text };
    expect(() => providerOf(environment)).toThrow(`${variableOf(option)} ${message}`);
  });
});

const REGISTRATION = {
  MCP_SESSIONS_CLIENT_ID: 'id',
  MCP_SESSIONS_CLIENT_SECRET: 'secret',
};
const NAMES = Object.keys(PRESETS) as PresetName[];

describe('MCP_SESSIONS_PROVIDER', () => {
  it.each(NAMES)('%s starts with the registration, and an issuer if it needs one', (name) => {
    const issuer = PRESETS[name].needs.includes('issuer') && { MCP_SESSIONS_ISSUER: 'https://id.example' };
    const configuration = configurationOf({ ...REGISTRATION, ...issuer, MCP_SESSIONS_PROVIDER: name });
    expect(configuration.upstream).toMatchObject({
      kind: 'operator',
      providers: [{ ...PRESETS[name].options, clientId: 'id', clientSecret: 'secret' }],
    });
    expect(() => start(configuration)).not.toThrow();
  });

  it.each(NAMES.flatMap((name) => PRESETS[name].needs.map((need) => [name, need] as const)))(
    '%s names the variable of %s if that is missing',
    (name, need) => {
      const environment = {
        ...REGISTRATION,
        MCP_SESSIONS_ISSUER: 'https://id.example',
        MCP_SESSIONS_PROVIDER: name,
        [variableOf(need)]: '',
      };
      expect(() => providerOf(environment)).toThrow(
        `MCP_SESSIONS_PROVIDER=${name} needs ${variableOf(need)}`,
      );
    },
  );

  it('gives way to every other variable', () => {
    const environment = {
      ...REGISTRATION,
      MCP_SESSIONS_PROVIDER: 'github',
      MCP_SESSIONS_SCOPES: 'repo gist',
    };
    expect(providerOf(environment)).toMatchObject({
      scopes: ['repo', 'gist'],
      apiOrigins: ['https://api.github.com'],
    });
  });

  it('is refused with the names of the presets, which --help lists, too', () => {
    const environment = { ...REGISTRATION, MCP_SESSIONS_PROVIDER: 'gitbub' };
    expect(() => providerOf(environment)).toThrow(
      `MCP_SESSIONS_PROVIDER must be one of ${NAMES.join(', ')}, or not set`,
    );
    const [listed = ''] = /MCP_SESSIONS_PROVIDER [\s\S]*?MCP_SESSIONS_ISSUER/.exec(USAGE) ?? [];
    for (const name of NAMES) expect(listed).toMatch(new RegExp(`\\b${name}\\b`));
  });

  it('needs tools, and counts as a real provider for clients of the network', () => {
    const environment = { ...REGISTRATION, MCP_SESSIONS_PROVIDER: 'github' };
    expect(() => parseCommand([], environment)).toThrow(/^MCP_SESSIONS_PROVIDER is set, .*--tools/);
    expect(() => parseCommand([...tools, '--access', 'open-to-network'], environment)).not.toThrow();
  });
});

/** What the library refuses: the variable that the message names, and the variables. */
const REFUSED: readonly [variable: string, environment: NodeJS.ProcessEnv][] = [
  ['PKCE', { PKCE: 'off' }],
  ['PKCE', { PKCE: 'off', CLIENT_SECRET: 's', SCOPES: 'repo' }],
  ['ENDPOINTS: userInfo', { ENDPOINTS: VALUES.endpoints[0], PKCE: 'S256', SCOPES: 'repo' }],
  ['PKCE', { ENDPOINTS: VALUES.endpoints[0] }],
  ['ENDPOINTS: token', { ENDPOINTS: '{"authorization":"https://idp.example/a"}', PKCE: 'S256' }],
  ['CLIENT_AUTHENTICATION', { CLIENT_AUTHENTICATION: 'client_secret_basic_raw', CLIENT_SECRET: 'a:b' }],
  ['CLIENT_ASSERTION', { CLIENT_ASSERTION: '{"audience":"token_endpoint"}' }],
  ['IDENTITY_SOURCE', { IDENTITY_SOURCE: 'id_token', SCOPES: 'repo' }],
  ['NONCE', { NONCE: 'required', SCOPES: 'repo' }],
  ['API_ORIGINS: 0', { API_ORIGINS: 'https://*.my.salesforce.com' }],
  ['API_ORIGIN_FIELD: field', { API_ORIGIN_FIELD: '{"field":"api","domains":["example.com"]}' }],
  [
    'API_ORIGIN_FIELD: domains: 0',
    { TOKEN_FIELDS: 'api', API_ORIGIN_FIELD: '{"field":"api","domains":["com"]}' },
  ],
  ['TOKEN_FIELDS: 0', { TOKEN_FIELDS: 'refresh_token' }],
  ['CALLBACK_FIELDS: 0', { CALLBACK_FIELDS: 'code' }],
  ['REVOCATION_REQUEST', { REVOCATION_REQUEST: '{"method":"DELETE"}' }],
  ['ID_TOKEN_ALGORITHMS: 0', { ID_TOKEN_ALGORITHMS: 'none' }],
  ['TOKEN_TYPES: 0', { TOKEN_TYPES: 'DPoP' }],
  ['CLOCK_TOLERANCE_SECONDS', { CLOCK_TOLERANCE_SECONDS: '3600' }],
  ['USER_INFO_REQUEST: headers', { USER_INFO_REQUEST: '{"headers":{"authorization":"x"}}' }],
  ['USER_INFO_REQUEST', { USER_INFO_REQUEST: '{"method":"POST"}', IDENTITY_SOURCE: 'id_token' }],
  ['AUTHORIZATION_PARAMS', { RESOURCE: 'https://a.example', AUTHORIZATION_PARAMS: '{"resource":"b"}' }],
  ['SCOPE_PARAMETER', { SCOPE_PARAMETER: 'state' }],
];

describe('variables that cannot work or cannot be safe together', () => {
  it.each(REFUSED)('are refused with the variable %s, in one line: %o', (variable, given) => {
    const environment = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [`MCP_SESSIONS_${name}`, value]),
    );
    const begin = () => start(configurationOf({ ...required, ...environment }));
    expect(begin).toThrow(expect.objectContaining({ name: 'ConfigurationError' }));
    expect(begin).toThrow(`MCP_SESSIONS_${variable} `);
    expect(begin).toThrow(/^[^\n]+$/);
  });
});

function providerOf(environment: NodeJS.ProcessEnv): ProviderOptions | undefined {
  const { upstream } = configurationOf(environment);
  return upstream.kind === 'operator' ? upstream.providers[0] : undefined;
}

/** Creates the server as the program does. */
function start(configuration: Configuration): void {
  const { upstream } = configuration;
  if (upstream.kind !== 'operator') throw new Error('No provider is configured.');
  try {
    createSessions({
      server: { name: 'test', version: '1' },
      tools: () => undefined,
      providers: upstream.providers,
    });
  } catch (error) {
    throw startFailure(error, configuration);
  }
}

function configurationOf(environment: NodeJS.ProcessEnv): Configuration {
  const command = parseCommand(tools, environment);
  if (command.kind !== 'serve') throw new Error(`Parsed as ${command.kind}.`);
  return command.configuration;
}
