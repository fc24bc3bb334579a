import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCommand } from '../command.js';
import { printedSettings } from '../config-print.js';
import { readSettings } from './effective-settings.js';

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'effective-settings-test-'));
  file = join(folder, 'mcp.yaml');
});
afterAll(() => rmSync(folder, { recursive: true }));

const ONE = 'providers: [{ issuer: "https://id.example.com", clientId: a }]\ntools: ./t.mjs\n';
const TWO = `tools: ./t.mjs
providers:
  - issuer: https://id.example.com
    clientId: a
  - preset: github
    clientId: b
    clientSecretVariable: GITHUB_SECRET
`;

/** Reads a file, variables and flags. */
function settingsOf(content: string, environment: NodeJS.ProcessEnv = {}, argv: readonly string[] = []) {
  writeFileSync(file, content);
  return readSettings(['--config', file, ...argv], environment);
}

/** The providers with which the server starts. */
function providersOf(content: string, environment: NodeJS.ProcessEnv = {}) {
  writeFileSync(file, content);
  const command = parseCommand(['--config', file], environment);
  if (command.kind !== 'serve' || command.configuration.upstream.kind !== 'operator')
    throw new Error('A demo.');
  return command.configuration.upstream.providers;
}

describe('a setting', () => {
  it('of the environment replaces that of the file, and a flag replaces both', () => {
    const port = fc.option(fc.nat(65_535), { nil: undefined });
    fc.assert(
      fc.property(port, port, port, (inFile, inVariable, inFlag) => {
        const content = inFile === undefined ? '' : `listen: { port: ${inFile} }`;
        const environment = inVariable === undefined ? {} : { MCP_SESSIONS_LISTEN_PORT: String(inVariable) };
        const argv = inFlag === undefined ? [] : ['--port', String(inFlag)];
        const { settings, given } = settingsOf(content, environment, argv);
        expect(settings.listen?.port).toBe(inFlag ?? inVariable ?? inFile);
        const kind =
          (inFlag !== undefined && 'flag') ||
          (inVariable !== undefined && 'variable') ||
          (inFile !== undefined && 'file');
        expect(given.get('listen.port')?.origin.kind ?? false).toBe(kind);
      }),
    );
  });

  it('of a section leaves the other settings of that section', () => {
    const content = 'limits: { pendingLogins: 1, connections: 2, maxSessions: 3 }';
    const { settings } = settingsOf(content, { MCP_SESSIONS_LIMITS: '{"connections":20}' }, [
      '--max-sessions',
      '30',
    ]);
    expect(settings.limits).toEqual({ pendingLogins: 1, connections: 20, maxSessions: 30 });
  });

  it('in an empty variable counts as not set', () => {
    expect(settingsOf(ONE, { MCP_SESSIONS_CLIENT_ID: ' ' }).settings.providers?.[0]?.clientId).toBe('a');
  });

  it('of the only provider can be in a variable; of several, it is refused', () => {
    const environment = { MCP_SESSIONS_SCOPES: 'openid notes' };
    expect(settingsOf(ONE, environment).settings.providers?.[0]?.scopes).toEqual(['openid', 'notes']);
    expect(() => settingsOf(TWO, environment)).toThrow(
      /^MCP_SESSIONS_SCOPES does not say which of the providers .*write scopes in the file\.$/,
    );
  });
});

describe('the configuration file', () => {
  it('is named by MCP_SESSIONS_CONFIG, or by --config, which replaces it', () => {
    writeFileSync(file, 'logLevel: info');
    const environment = { MCP_SESSIONS_CONFIG: file };
    expect(readSettings([], environment).settings).toEqual({ logLevel: 'info' });
    const other = join(folder, 'other.yaml');
    writeFileSync(other, 'logLevel: debug');
    expect(readSettings(['--config', other], environment).settings).toEqual({ logLevel: 'debug' });
  });

  it('without a provider starts no demo, except with --demo [security 43]', () => {
    writeFileSync(file, 'listen: { port: 8080 }');
    expect(() => parseCommand(['--config', file], {})).toThrow(/mcp\.yaml has no provider\. .*--demo/);
    expect(parseCommand(['--config', file, '--demo'], {})).toMatchObject({
      configuration: { transport: { port: 8080 }, upstream: { kind: 'sample', isAsked: true } },
    });
    writeFileSync(file, ONE);
    expect(() => parseCommand(['--config', file, '--demo'], {})).toThrow(
      /^--demo .*providers\[0\]\.issuer is set/,
    );
  });

  it.each([
    ['publicUrl: https://mcp.example.com', [], /mcp\.yaml:1: publicUrl is set but there is no provider\./],
    [
      'access: { issuer: "https://as.example.com" }',
      ['--demo'],
      /access\.issuer is set but there is no provider/,
    ],
    ['listen: { host: 0.0.0.0 }', ['--demo'], /serves this machine only/],
    ['providers: [{ clientId: a }]', [], /mcp\.yaml:1: providers\[0\] has neither an issuer nor a preset/],
    ['providers: [{ issuer: "https://a.example" }]', [], /mcp\.yaml.*: providers\[0\]\.clientId is missing/],
    [
      'providers: [{ preset: github, clientId: a }]',
      [],
      /preset=github needs .*providers\[0\]\.clientSecretFile/,
    ],
    [`${ONE}access: { mode: open, issuer: "https://a.example" }`, [], /mcp\.yaml:3: access\.issuer needs/],
    [`${ONE}publicUrl: "https://a.example"`, ['--stdio'], /^With --stdio, .*Remove .*:3: publicUrl\.$/],
  ])('that is incomplete is refused by the names of its keys: %s %j', (content, argv, message) => {
    writeFileSync(file, content);
    expect(() => parseCommand(['--config', file, ...argv], {})).toThrow(message);
  });
});

describe('a variable with the prefix', () => {
  it.each([
    ['MCP_SESSIONS_ISSUR', /^MCP_SESSIONS_ISSUR is not a variable .* Did you mean MCP_SESSIONS_ISSUER\?/],
    ['MCP_SESSIONS_QQQQQQ', /^MCP_SESSIONS_QQQQQQ is not a variable of this server\. Unset it/],
  ])('is refused if it is unknown: %s', (name, message) => {
    expect(() => readSettings([], { [name]: 'x' })).toThrow(message);
    expect(() => readSettings(['--help'], { [name]: 'x' })).not.toThrow();
  });

  it('is ignored if Kubernetes sets it for a service of that name', () => {
    const environment = {
      MCP_SESSIONS_SERVICE_HOST: '10.0.0.1',
      MCP_SESSIONS_SERVICE_PORT: '3000',
      MCP_SESSIONS_SERVICE_PORT_HTTP: '3000',
      MCP_SESSIONS_PORT: 'tcp://10.0.0.1:3000',
      MCP_SESSIONS_PORT_3000_TCP: 'tcp://10.0.0.1:3000',
      MCP_SESSIONS_PORT_3000_TCP_ADDR: '10.0.0.1',
      MCP_SESSIONS_SERVER_PORT_3000_TCP_PROTO: 'tcp',
    };
    expect(readSettings([], environment).settings).toEqual({});
  });
});

describe('a secret', () => {
  it('is read from a file relative to the configuration, or from the variable that the file names', () => {
    writeFileSync(join(folder, 'secret'), 'from-file\n');
    const withFile = TWO.replace('clientId: a', 'clientId: a\n    clientSecretFile: ./secret');
    expect(providersOf(withFile, { GITHUB_SECRET: 'from-variable' })).toMatchObject([
      { clientId: 'a', clientSecret: 'from-file' },
      { name: 'github', clientSecret: 'from-variable', pkce: 'S256' },
    ]);
  });

  it('in a variable replaces the file of the secret', () => {
    const content = ONE.replace('clientId: a', 'clientId: a, clientSecretFile: ./none');
    expect(providersOf(content, { MCP_SESSIONS_CLIENT_SECRET: 'b' })).toMatchObject([{ clientSecret: 'b' }]);
  });

  it.each([
    [TWO, {}, /providers\[1\]\.clientSecretVariable names the variable GITHUB_SECRET, which is not set\./],
    [
      ONE.replace('clientId: a', 'clientId: a, clientSecretFile: none'),
      {},
      /clientSecretFile: .*none does not exist/,
    ],
    [
      ONE.replace('clientId: a', 'clientId: a, clientKeyFile: mcp.yaml'),
      {},
      /does not contain a JSON Web Key/,
    ],
    [
      ONE,
      { MCP_SESSIONS_CLIENT_SECRET: 'canary', MCP_SESSIONS_CLIENT_SECRET_FILE: 'x' },
      /^MCP_SESSIONS_CLIENT_SECRET and MCP_SESSIONS_CLIENT_SECRET_FILE are two ways to set the same\./,
    ],
    [ONE, { MCP_SESSIONS_CLIENT_KEY: 'canary' }, /^MCP_SESSIONS_CLIENT_KEY is not JSON/],
  ])('that cannot be read is refused by name: %#', (content, environment, message) => {
    expect(() => providersOf(content, environment)).toThrow(message);
    expect(() => providersOf(content, environment)).not.toThrow(/canary/);
  });
});

describe('config print', () => {
  const printed = (content: string, environment: NodeJS.ProcessEnv = {}, argv: readonly string[] = []) =>
    printedSettings(settingsOf(content, environment, argv)).replaceAll(`${folder}/`, '');

  it('has each setting with the place it comes from, also those of presets', () => {
    const text = printed(TWO, { MCP_SESSIONS_IDLE_SECONDS: '60', GITHUB_SECRET: 'canary' }, ['--port', '0']);
    for (const line of [
      '  - issuer: https://id.example.com # mcp.yaml:3',
      '  - preset: github # mcp.yaml:5',
      '    clientSecretVariable: GITHUB_SECRET # mcp.yaml:7',
      '    pkce: S256 # preset github',
      '  port: 0 # --port',
      '  idleSeconds: 60 # MCP_SESSIONS_IDLE_SECONDS',
      '  absoluteSeconds: 43200 # default',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).not.toContain('canary');
  });

  it('has no secret, whatever is configured', () => {
    const canary = fc
      .string({ minLength: 4, maxLength: 20, unit: 'grapheme-ascii' })
      .map((text) => `KANARI${text}`);
    fc.assert(
      fc.property(canary, fc.boolean(), fc.boolean(), (secret, isKey, isHeader) => {
        const environment = {
          [isKey ? 'MCP_SESSIONS_CLIENT_KEY' : 'MCP_SESSIONS_CLIENT_SECRET']: isKey
            ? JSON.stringify({ d: secret })
            : secret,
          MCP_SESSIONS_SIGN_IN_CLIENT_SECRET: secret,
          MCP_SESSIONS_INTROSPECTION_CLIENT_SECRET: secret,
          MCP_SESSIONS_MASTER_KEYS: `KANARI ${secret}`,
          MCP_SESSIONS_REDIS_PASSWORD: secret,
          MCP_SESSIONS_REDIS_URL: `redis://a:${encodeURIComponent(secret)}@localhost`,
          MCP_SESSIONS_ISSUER: `https://user:${encodeURIComponent(secret)}@id.example.com`,
          ...(isHeader && {
            MCP_SESSIONS_USER_INFO_REQUEST: JSON.stringify({ headers: { 'x-api-key': secret } }),
          }),
        };
        const text = printed(ONE, environment);
        expect(text).toContain('(redacted) # MCP_SESSIONS_SIGN_IN_CLIENT_SECRET');
        expect(text).not.toContain('KANARI');
      }),
    );
  });
});
