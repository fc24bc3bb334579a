import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { ProviderReport } from 'mcp-sessions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyLinesOf, tablesOf as tablesWith } from './check.js';
import { parseCommand } from './command.js';
import { type IdentityProvider, startIdentityProvider } from './sample/identity-provider.js';
import { createCredentials } from './sample/provider-clients.js';
import { settingNames } from './setting-names.js';
import { readSettings } from './settings/effective-settings.js';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

const variableNames = settingNames(readSettings([], {}), []);
const tablesOf = (reports: readonly ProviderReport[], columns: number) =>
  tablesWith(reports, columns, variableNames);

let provider: IdentityProvider;
const client = createCredentials('mcp-sessions');

beforeAll(async () => {
  const resourceServer = createCredentials('notes-api');
  provider = await startIdentityProvider({ port: 0, client, resourceServer, resource: 'urn:test:notes' });
});

afterAll(() => provider.close());

/** Runs the built program with the variables of the provider, some of which differ. */
async function check(argv: readonly string[] = [], changes: NodeJS.ProcessEnv = {}) {
  const environment = {
    PATH: process.env.PATH,
    MCP_SESSIONS_ISSUER: provider.issuer,
    MCP_SESSIONS_CLIENT_ID: client.clientId,
    MCP_SESSIONS_CLIENT_SECRET: client.clientSecret,
    ...changes,
  };
  const child = spawn(process.execPath, [MAIN, 'check', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment,
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { stdout, stderr, code: code as number | null };
}

describe('the command check', () => {
  it('prints a line for each check, and exits with 0 if nothing is wrong', async () => {
    const { stdout, stderr, code } = await check();
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(stdout).toMatch(/^127\.0\.0\.1:\d+\n✓ configuration /);
    expect(stdout).toMatch(/^✓ client_authentication +the provider accepts the client/m);
    expect(stdout).toMatch(/^– tls +http, on loopback$/m);
    expect(stdout).toMatch(/^\? redirect_uri +http:\/\/127\.0\.0\.1:3000\/callback\n {4}Compare it/m);
    expect(stdout).not.toContain('✗');
    expect(stdout).toMatch(/\n\nNo check has failed\. Start the server and log in: [^\n]*\n$/);
  });

  it('names the variables to change, and exits with 1 if a check has failed', async () => {
    const { stdout, code } = await check([], { MCP_SESSIONS_CLIENT_SECRET: 'canary-of-the-operator' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ client_authentication .*invalid_client/m);
    expect(stdout).toMatch(
      /^ {4}Change MCP_SESSIONS_CLIENT_ID, MCP_SESSIONS_CLIENT_SECRET, MCP_SESSIONS_CLIENT_AUTHENTICATION, MCP_SESSIONS_PKCE: /m,
    );
    expect(stdout).not.toContain('canary');
    expect(stdout).toMatch(/\n\nFailed: client_authentication\. [^\n]*\n$/);
  });

  it('names what the provider rejects before a login', async () => {
    const { stdout, code } = await check([], { MCP_SESSIONS_RESOURCE: 'urn:test:other' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ authorization .*oauthError: invalid_target/m);
    expect(stdout).toMatch(/^ {4}Change MCP_SESSIONS_RESOURCE: /m);
    expect(stdout).toMatch(/\n\nFailed: authorization\. [^\n]*\n$/);
    expect((await check()).stdout).toMatch(/^✓ authorization /m);
  });

  it('prints the reports as JSON', async () => {
    const { stdout, code } = await check(['--json'], { MCP_SESSIONS_ISSUER: 'http://127.0.0.1:2' });
    const reports = JSON.parse(stdout) as ProviderReport[];
    expect(code).toBe(1);
    expect(reports).toMatchObject([{ provider: '127.0.0.1:2', ok: false }]);
    expect(reports[0]?.checks.find(({ result }) => result === 'failed')).toMatchObject({
      check: 'discovery',
      setting: 'issuer, endpoints, HTTPS_PROXY',
      variables: ['MCP_SESSIONS_ISSUER', 'MCP_SESSIONS_ENDPOINTS', 'HTTPS_PROXY'],
      failure: { reason: 'connection_failed', code: 'ECONNREFUSED' },
    });
    expect(stdout).not.toContain(client.clientSecret);
  });

  it('also checks the authorization server of the clients, by its metadata', async () => {
    const { stdout } = await check([], { MCP_SESSIONS_ACCESS_ISSUER: provider.issuer });
    const [, access = ''] = stdout.split('\n\n');
    expect(access.match(/^(?!access$)\S \S+/gm)).toEqual([
      '– proxy',
      '✓ name_resolution',
      '– tls',
      '✓ discovery',
      '✓ issuer',
      '✓ clock',
    ]);
  });

  it.each<[string, string[], NodeJS.ProcessEnv, RegExp]>([
    [
      'no provider',
      [],
      { MCP_SESSIONS_ISSUER: '', MCP_SESSIONS_CLIENT_ID: '', MCP_SESSIONS_CLIENT_SECRET: '' },
      /no provider to check.*MCP_SESSIONS_ISSUER/,
    ],
    [
      'options that cannot be safe',
      [],
      { MCP_SESSIONS_CLIENT_SECRET: '', MCP_SESSIONS_PKCE: 'off' },
      /^MCP_SESSIONS_PKCE cannot be 'off' for a public client[^\n]*\n$/,
    ],
  ])('exits with 2 and says what to change with %s', async (_what, argv, changes, message) => {
    const { stdout, stderr, code } = await check(argv, changes);
    expect({ stdout, code }).toEqual({ stdout: '', code: 2 });
    expect(stderr).toMatch(message);
  });
});

describe('the table of check', () => {
  const address = 'https://login.example.com/a/long/tenant/.well-known/openid-configuration';
  const reports: ProviderReport[] = [
    {
      provider: 'example',
      ok: false,
      checks: [
        { check: 'issuer', result: 'ok', found: 'https://login.example.com' },
        {
          check: 'discovery',
          result: 'failed',
          found: `the metadata of the provider was not found: ${address}: 404 text/plain; charset=utf-8`,
          advice:
            "Use the issuer exactly as the provider documents it, or set `endpoints` and `pkce: 'S256'`. `status` is its answer.",
          setting: 'issuer',
        },
      ],
    },
  ];

  it.each([80, 120])('fits a terminal of %i columns, and breaks no address', (columns) => {
    const lines = tablesOf(reports, columns).split('\n');
    expect(lines.filter((line) => line.length > columns && !line.includes(address))).toEqual([]);
    expect(lines.filter((line) => line.includes(address))).toHaveLength(1);
    expect(lines.slice(3, lines.indexOf('')).every((line) => line.startsWith('    '))).toBe(true);
  });

  it('has a line for each check and each advice if there is no terminal', () => {
    const [table = '', summary] = tablesOf(reports, Number.POSITIVE_INFINITY).split('\n\n');
    expect(table.split('\n')).toHaveLength(4);
    expect(summary).toBe('Failed: discovery. Change what is below each ✗, then run this command again.');
  });

  it('names the provider of a failed check if there are several', () => {
    const both = [...reports, { provider: 'access', ok: true, checks: [] }];
    expect(tablesOf(both, 80)).toMatch(/\n\nFailed: discovery of example\. /);
  });

  it('repeats no variable that the advice names', () => {
    const advice = "If it supports PKCE, set `pkce: 'S256'`.";
    const pkce = { check: 'pkce', result: 'failed', found: 'none', advice, setting: 'pkce' } as const;
    expect(tablesOf([{ provider: 'a', ok: false, checks: [pkce] }], 80)).toContain(
      '\n    If it supports PKCE, set MCP_SESSIONS_PKCE=S256.\n',
    );
  });

  it('names the variables of the authorization server of the clients for that server', () => {
    const check = 'client_authentication';
    const setting = 'clientId, clientSecret, clientAuthentication, pkce, NODE_EXTRA_CA_CERTS';
    const failed = { check, result: 'failed', found: 'rejected', advice: 'Compare.', setting } as const;
    const tables = tablesOf(
      ['access.signIn', 'access'].map((provider) => ({ provider, ok: false, checks: [failed] })),
      Number.POSITIVE_INFINITY,
    );
    const change =
      'Change MCP_SESSIONS_SIGN_IN_CLIENT_ID, MCP_SESSIONS_SIGN_IN_CLIENT_SECRET, NODE_EXTRA_CA_CERTS: Compare.';
    expect(tables.split(change)).toHaveLength(3);
    const issuer = { ...failed, check: 'issuer', setting: 'issuer' } as const;
    expect(tablesOf([{ provider: 'access', ok: false, checks: [issuer] }], 80)).toContain(
      'Change MCP_SESSIONS_ACCESS_ISSUER: Compare.',
    );
  });

  it('names variables in place of options, and nothing else', () => {
    expect(tablesOf(reports, Number.POSITIVE_INFINITY)).toContain(
      'or set MCP_SESSIONS_ENDPOINTS and MCP_SESSIONS_PKCE=S256. `status` is its answer.',
    );
  });
});

describe('the configuration of check', () => {
  const variables = { MCP_SESSIONS_ISSUER: 'https://idp.example', MCP_SESSIONS_CLIENT_ID: 'mcp' };

  it.each<[string, NodeJS.ProcessEnv, string]>([
    ['', {}, 'http://127.0.0.1:3000'],
    ['--port 8080', {}, 'http://127.0.0.1:8080'],
    [
      '--access open-to-network',
      { MCP_SESSIONS_PUBLIC_URL: 'https://mcp.example/a' },
      'https://mcp.example/a',
    ],
    ['--stdio', {}, 'http://127.0.0.1'],
    ['--stdio --json --callback-port 8123 --callback-host localhost', {}, 'http://localhost:8123'],
  ])('has the address that redirect URIs begin with: %s %j', (flags, changes, publicUrl) => {
    const argv = ['check', ...flags.split(' ').filter(Boolean)];
    const command = parseCommand(argv, { ...variables, ...changes });
    expect(command).toMatchObject({ kind: 'check', configuration: { publicUrl } });
  });

  it.each([
    ['--jsn', /--jsn/],
    ['--callback-port 8123', /Remove --callback-port and --callback-host, or add --stdio/],
    ['--stdio --callback-port 0', /--callback-port must be a port from 1/],
    ['--stdio --callback-host ::1', /--callback-host must be one of 127.0.0.1, localhost/],
  ])('refuses wrong flags: %s', (flags, message) => {
    expect(() => parseCommand(['check', ...flags.split(' ')], variables)).toThrow(message);
  });

  it('passes the port and the host of the redirect URI on to the server', () => {
    const argv = '--stdio --tools t.mjs --callback-port 8123 --callback-host localhost'.split(' ');
    expect(parseCommand(argv, variables)).toMatchObject({
      configuration: { transport: { kind: 'stdio', callbackPort: 8123, callbackHost: 'localhost' } },
    });
  });
});

describe('the lines of the master keys', () => {
  it('say of each key whether there are records under it, and how many servers seal with it', () => {
    const servers = [
      ['b', 'a'],
      ['b', 'a'],
      ['a', 'b'],
    ];
    expect(keyLinesOf({ records: ['a', 'b'], servers }, ['b', 'a'])).toEqual([
      '✓ b: records, first key of 2 of 3 servers',
      '✓ a: records, first key of 1 of 3 servers',
    ]);
    expect(keyLinesOf({ records: ['b'], servers: [['b', 'a']] }, ['b', 'a'])).toEqual([
      '✓ b: records, first key of 1 of 1 servers',
      '– a: no record, first key of 0 of 1 servers',
    ]);
    expect(keyLinesOf({ records: ['a'], servers: [] }, ['b'])).toEqual([
      '– b: no record, first key of 0 of 0 servers',
      '✗ a: records, first key of 0 of 0 servers. This configuration lacks it',
    ]);
  });
});
