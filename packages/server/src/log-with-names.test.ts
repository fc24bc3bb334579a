import { expect, it } from 'vitest';
import { logWithNames } from './log-with-names.js';
import { settingNames } from './setting-names.js';
import { readSettings } from './settings/effective-settings.js';

const failed = (provider: string, setting: string, advice: string) =>
  [{ event: 'provider.failed', provider, setting }, `It failed. Change ${setting}: ${advice}`] as const;

it.each<[string, readonly [object, string], object, string]>([
  [
    'a provider',
    failed('github', 'clientSecret, pkce', "Set `pkce: 'off'` or `endpoints`."),
    { variables: 'MCP_SESSIONS_CLIENT_SECRET, MCP_SESSIONS_PKCE' },
    'It failed. Change MCP_SESSIONS_CLIENT_SECRET, MCP_SESSIONS_PKCE: Set MCP_SESSIONS_PKCE=off or MCP_SESSIONS_ENDPOINTS.',
  ],
  [
    'the issuer of access tokens',
    failed('access', 'issuer, endpoints, NODE_EXTRA_CA_CERTS', 'Use the issuer, or set `endpoints`.'),
    { variables: 'MCP_SESSIONS_ACCESS_ISSUER, NODE_EXTRA_CA_CERTS' },
    'It failed. Change MCP_SESSIONS_ACCESS_ISSUER, NODE_EXTRA_CA_CERTS: Use the issuer, or set `endpoints`.',
  ],
  ['no setting', [{ event: 'login.failed', provider: 'github' }, 'login.failed'], {}, 'login.failed'],
])('an entry about %s has the variables of its settings', (_what, [entry, message], more, text) => {
  const written: unknown[] = [];
  const write = (...line: unknown[]) => written.push(line);
  const names = settingNames(readSettings([], {}), ['github']);
  logWithNames({ debug: write, info: write, warn: write, error: write }, names).warn(entry, message);
  expect(written).toEqual([[{ ...entry, ...more }, text]]);
});
