import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { createSessions } from 'mcp-sessions';
import { describe, expect, it } from 'vitest';
import { configurationSchema } from '../packages/server/src/settings/json-schema.js';
import { SETTINGS } from '../packages/server/src/settings/setting-list.js';
import { settingsTables } from '../packages/server/src/settings/settings-table.js';
import { USAGE } from '../packages/server/src/usage.js';
import type {
  BearerAccessOptions,
  CloseOptions,
  ListenOptions,
  ProviderOptions,
  ServeStdioOptions,
  SessionsOptions,
} from '../packages/sessions/src/index.js';
import { DEFAULT_LIMITS } from '../packages/sessions/src/limits/limits.js';
import { DEFAULT_LIFETIMES } from '../packages/sessions/src/session/lifetimes.js';

const text = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');

/** The first cells of all tables. */
const firstCells = text.split('\n').map((line) => /^\| ([^|]*) \|/.exec(line)?.[1] ?? '');
const named = (pattern: RegExp) => new Set(firstCells.flatMap((cell) => cell.match(pattern) ?? []));

type Options = SessionsOptions & ProviderOptions & BearerAccessOptions;

/** The compiler requires every option, and refuses others. */
const OPTIONS: Record<keyof Options, true> = {
  server: true,
  tools: true,
  providers: true,
  publicUrl: true,
  access: true,
  branding: true,
  elicitation: true,
  dispatch: true,
  hibernate: true,
  allowedHosts: true,
  allowedOrigins: true,
  trustedProxies: true,
  lifetimes: true,
  limits: true,
  cluster: true,
  logger: true,
  allowDebugging: true,
  runtime: true,
  issuer: true,
  clientId: true,
  clientSecret: true,
  clientKey: true,
  clientAuthentication: true,
  scopes: true,
  apiOrigins: true,
  authorizationParams: true,
  name: true,
  displayName: true,
  deviceFlow: true,
  revoke: true,
  endpoints: true,
  identityFields: true,
  pkce: true,
  clientAssertion: true,
  scopeSeparator: true,
  scopeParameter: true,
  resource: true,
  pushedAuthorization: true,
  responseMode: true,
  nonce: true,
  idTokenAlgorithms: true,
  idTokenAudiences: true,
  clockToleranceSeconds: true,
  tokenTypes: true,
  tokensAt: true,
  tokenFields: true,
  callbackFields: true,
  identitySource: true,
  userInfoRequest: true,
  apiOriginField: true,
  revocation: true,
  revocationRequest: true,
  audience: true,
  clientIds: true,
  requiredScopes: true,
  subjectClaim: true,
  sessionClaim: true,
  sessionPerConnection: true,
  introspection: true,
  signIn: true,
};

const METHOD_OPTIONS: Record<keyof (ListenOptions & CloseOptions & ServeStdioOptions), true> = {
  port: true,
  host: true,
  keepAliveMs: true,
  drainMs: true,
  openBrowser: true,
  callbackPort: true,
  callbackHost: true,
};

describe('docs/configuration.md', () => {
  it('describes every option of the library', () => {
    const described = named(/(?<=`)[a-zA-Z]+(?=`)/g);
    expect(Object.keys(OPTIONS).filter((option) => !described.has(option))).toEqual([]);
  });

  it('describes every option of listen, close and serveStdio, and no other', () => {
    const rows = [...text.matchAll(/^\| `(?:listen|close|serveStdio)` \| `(\w+)` \|/gm)];
    expect(rows.map(([, option]) => option).sort()).toEqual(Object.keys(METHOD_OPTIONS).sort());
  });

  it('contains the tables that follow from the schema of the settings (npm run configuration)', () => {
    expect(text).toContain(
      `written by npm run configuration -->\n\n${settingsTables()}\n\n<!-- end: settings -->`,
    );
  });

  it('lists every lifetime, and no other', () => {
    expect(named(/\w+Ms\b/g)).toEqual(new Set(Object.keys(DEFAULT_LIFETIMES)));
  });
});

describe('the settings of the server', () => {
  it('are in the JSON Schema of the package (npm run configuration)', () => {
    const shipped = readFileSync(new URL('../packages/server/config.schema.json', import.meta.url), 'utf8');
    expect(JSON.parse(shipped)).toEqual(configurationSchema());
  });

  it('are in --help with their variables and flags', () => {
    const words = new Set(USAGE.match(/--[a-z][a-z-]+|MCP_SESSIONS_[A-Z_]+/g));
    const names = SETTINGS.flatMap(({ info: { flag, variable } }) => [
      ...(flag ? [`--${flag}`] : []),
      ...(variable ? [`MCP_SESSIONS_${variable}`] : []),
    ]);
    expect(names.filter((name) => !words.has(name))).toEqual([]);
  });

  it('have the defaults of the library', () => {
    const defaults = new Map(SETTINGS.map(({ path, info }) => [path.join('.'), info.default]));
    for (const [lifetime, milliseconds] of Object.entries(DEFAULT_LIFETIMES)) {
      expect(defaults.get(`lifetimes.${lifetime.replace('Ms', 'Seconds')}`)).toBe(milliseconds / 1000);
    }
    for (const [limit, value] of Object.entries(DEFAULT_LIMITS))
      expect(defaults.get(`limits.${limit}`)).toBe(value);
  });
});

/** The first cells of the table of options that are refused, as code. */
const [, refusedTable = ''] =
  /\| options \| why they are refused \|\n\|[ -|]+\|\n((?:\|.*\n)+)/.exec(text) ?? [];
const refusedRows = [...refusedTable.matchAll(/^\| `([^`]+)` \|/gm)].map(([, code = '']) => code);

/** What the examples name without a value. */
const NAMED = {
  clientSecret: 'secret',
  clientKey: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd', alg: 'ES256' },
  endpoints: { authorization: 'https://id.example.com/authorize', token: 'https://id.example.com/token' },
  revoke: () => Promise.resolve(),
  a: { name: 'a', issuer: 'https://a.example.com', clientId: 'client' },
  b: { name: 'b', issuer: 'https://b.example.com', clientId: 'client' },
};

function start(code: string): void {
  const options = runInNewContext(`({ ${code} })`, NAMED);
  const providers = options.providers ?? { issuer: 'https://id.example.com', clientId: 'client', ...options };
  createSessions({ server: { name: 'test', version: '1' }, tools: () => undefined, providers });
}

describe('the options that docs/configuration.md says are refused', () => {
  it('are at least as many as the rules', () => {
    expect(refusedRows.length).toBeGreaterThan(30);
  });

  it.each(refusedRows)('keep the server from starting, and the message names one: %s', (code) => {
    const message = refusalOf(code);
    const [, option = ''] = /→ at (\w+)/.exec(message) ?? /`(\w+)`/.exec(message) ?? [];
    // What is missing is not in the example.
    const named = [...(code.match(/\w+/g) ?? []), 'pkce', 'clientAuthentication'];
    expect({ message, named }).toMatchObject({ named: expect.arrayContaining([option]) });
  });

  it('would not do so for the example itself', () => {
    expect(() => start('clientSecret')).not.toThrow();
    expect(() => start("endpoints, pkce: 'S256'")).not.toThrow();
    expect(() => start('providers: [a, b]')).not.toThrow();
  });
});

/** The message with which the server does not start. */
function refusalOf(code: string): string {
  try {
    start(code);
  } catch (error) {
    expect(error).toMatchObject({ code: 'configuration' });
    return error instanceof Error ? error.message : '';
  }
  throw new Error(`The server starts with ${code}.`);
}
