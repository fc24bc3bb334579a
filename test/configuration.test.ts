import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { USAGE } from '../packages/server/src/usage.js';
import type {
  BearerAccessOptions,
  CloseOptions,
  ListenOptions,
  ProviderOptions,
  ServeStdioOptions,
  SessionsOptions,
} from '../packages/sessions/src/index.js';
import { DEFAULT_LIFETIMES } from '../packages/sessions/src/session/lifetimes.js';

const text = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');

/** The first cells of all tables. */
const firstCells = text.split('\n').map((line) => /^\| ([^|]*) \|/.exec(line)?.[1] ?? '');
const named = (pattern: RegExp) => new Set(firstCells.flatMap((cell) => cell.match(pattern) ?? []));
const inUsage = (pattern: RegExp) => new Set(USAGE.match(pattern));

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
  allowedHosts: true,
  allowedOrigins: true,
  trustedProxies: true,
  lifetimes: true,
  limits: true,
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

  it('describes every environment variable of the server, and no other', () => {
    expect(named(/MCP_SESSIONS_\w+/g)).toEqual(inUsage(/MCP_SESSIONS_\w+/g));
  });

  it('describes every flag of the server, and no other', () => {
    expect(named(/--[a-z][a-z-]+/g)).toEqual(inUsage(/(?<=^ {2}|, )--[a-z-]+/gm));
  });

  it('lists every lifetime, and no other', () => {
    expect(named(/\w+Ms\b/g)).toEqual(new Set(Object.keys(DEFAULT_LIFETIMES)));
  });
});
