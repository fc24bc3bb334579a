import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { createSessions, type ProviderOptions } from 'mcp-sessions';
import { PRESETS, type PresetName } from 'mcp-sessions/providers';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { parseCommand } from '../packages/server/src/command.js';
import { loadToolsModule } from '../packages/server/src/tools-module.js';
import { FAILURE_TEXTS } from '../packages/sessions/src/session/provider-failure-texts.js';
import { settingFor } from '../packages/sessions/src/session/provider-failures.js';

const text = readFileSync(new URL('../docs/providers.md', import.meta.url), 'utf8');
const NAMES = Object.keys(PRESETS) as PresetName[];
const LABELS = [
  'where to register',
  'what to tick',
  'redirect URI',
  'scopes',
  'refresh token',
  'start with',
  'first request',
  'differs from the standard',
  'compared on',
];

/** The cells of each preset's table, by the names of presets and the labels of rows. */
const tables = new Map(
  [...text.matchAll(/^### .*\n\n\| \| `(\w+)` \|\n\| --- \| --- \|\n((?:\|.*\n)+)/gm)].map(
    ([, name = '', rows = '']) => [
      name,
      new Map(
        [...rows.matchAll(/^\| ([^|]*) \| (.*) \|$/gm)].map(([, label = '', cell = '']) => [label, cell]),
      ),
    ],
  ),
);
const cellOf = (name: PresetName, label: string) => tables.get(name)?.get(label) ?? '';
const codeIn = (cell: string) => [...cell.matchAll(/`([^`]*)`/g)].map(([, code = '']) => code);

/** What the operator writes after the table: the placeholders replaced. */
function environmentOf(name: PresetName): NodeJS.ProcessEnv {
  const assignments = codeIn(cellOf(name, 'start with')).map((code) => /^(\w+)=(.*)$/.exec(code));
  return Object.fromEntries(
    assignments.map((assignment) => [assignment?.[1], assignment?.[2]?.replace('…', 'given')]),
  );
}

type Handler = () => Promise<unknown>;

/** The rows of the providers without a preset: name, addresses, settings. */
const [, withoutPreset = ''] =
  /\| provider \| issuer or endpoints \| settings \|\n\|[ -|]+\|\n((?:\|.*\n)+)/.exec(text) ?? [];
const rowsWithoutPreset = [...withoutPreset.matchAll(/^\| ([^|]*) \| ([^|]*) \| (.*) \|$/gm)].map(
  ([, name = '', addresses = '', settings = '']) => ({ name, addresses, settings }),
);

/** What an operator writes after such a row. */
function optionsOf(addresses: string, settings: string): ProviderOptions {
  const urls = codeIn(addresses)
    .filter((code) => code.startsWith('https://'))
    .map((url) => url.replaceAll(/<[^>]*>/g, 'name'));
  const [
    authorization = 'https://id.example.com/a',
    token = 'https://id.example.com/t',
    userInfo,
    revocation,
  ] = urls;
  const given = codeIn(settings).filter((code) => /^[a-z]\w*: /i.test(code) && !code.includes('audience }'));
  const options = given.map((code): Partial<ProviderOptions> => runInNewContext(`({ ${code} })`));
  const hasEndpoints = addresses.includes('`endpoints`');
  return Object.assign(
    hasEndpoints
      ? {
          issuer: new URL(authorization).origin,
          endpoints: { authorization, token, userInfo: userInfo ?? token, revocation },
          pkce: 'S256' as const,
        }
      : { issuer: authorization },
    { clientId: 'given' },
    settings.includes('clientAssertion') ? { clientKey: KEY } : { clientSecret: 'given' },
    ...options,
  );
}

const KEY = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd', alg: 'ES256' };

describe('docs/providers.md', () => {
  it('says that no preset was tried at the real provider', () => {
    expect(text).toContain('None of these was tried at the real provider.');
  });

  it('has a table for every preset, and no other', () => {
    expect([...tables.keys()].sort()).toEqual([...NAMES].sort());
  });

  it.each(NAMES)('says of %s where to register, what to tick, and the rest', (name) => {
    expect([...(tables.get(name)?.keys() ?? [])]).toEqual(LABELS);
    for (const [label, cell] of tables.get(name) ?? []) expect([label, cell]).not.toEqual([label, '']);
  });

  it.each(NAMES)('has the scopes, the sources and the day of the comparison of %s', (name) => {
    const { options, compared, links } = PRESETS[name];
    expect(codeIn(cellOf(name, 'scopes'))).toEqual(options.scopes ?? ['openid']);
    const [day] = cellOf(name, 'compared on').split(',');
    expect(day).toBe(compared);
    expect([...cellOf(name, 'compared on').matchAll(/\]\(([^)]*)\)/g)].map(([, link]) => link)).toEqual(
      links,
    );
  });

  it.each(NAMES)('names the scope or the parameters that give a refresh token at %s', (name) => {
    const { scopes = [], authorizationParams = {} } = PRESETS[name].options;
    const offline = scopes.filter((scope) => /offline|refresh/.test(scope));
    const parameters = Object.entries(authorizationParams).filter(([, value]) => value === 'offline');
    const expected = [...offline, ...parameters.map((parameter) => parameter.join('='))];
    expect(codeIn(cellOf(name, 'refresh token'))).toEqual(expect.arrayContaining(expected));
  });

  it.each(NAMES)(
    'starts %s with the variables of its table, and keeps the scopes for a refresh token',
    (name) => {
      const environment = environmentOf(name);
      const command = parseCommand(['--tools', './tools.mjs'], environment);
      if (command.kind !== 'serve' || command.configuration.upstream.kind !== 'operator')
        throw new Error('It starts no server with a provider.');
      const [provider] = command.configuration.upstream.providers;
      expect(provider).toMatchObject({ name, clientId: 'given' });
      const offline = PRESETS[name].options.scopes?.filter((scope) => /offline|refresh/.test(scope)) ?? [];
      expect(provider.scopes).toEqual(expect.arrayContaining(offline));
      const server = { name: 'test', version: '1' };
      expect(() => createSessions({ server, tools: () => undefined, providers: provider })).not.toThrow();
    },
  );

  it.each(NAMES)('says of %s where client id and secret are', (name) => {
    expect(cellOf(name, 'what to tick')).toMatch(/client id/i);
    expect(cellOf(name, 'what to tick')).toMatch(/secret/i);
  });

  it.each(NAMES)('starts %s with an address that its registration accepts', (name) => {
    const accepted = cellOf(name, 'redirect URI');
    const { MCP_SESSIONS_PUBLIC_URL: address } = environmentOf(name);
    if (/^https\./.test(accepted)) expect(address).toMatch(/^https:/);
    else if (/http (is accepted )?with `localhost`/.test(accepted))
      expect(address).toBe('http://localhost:3000');
    else expect(address).toBeUndefined();
  });

  it.each(NAMES)('requests an address first that may receive the tokens of %s', (name) => {
    const { apiOrigins = [], apiOriginField, tokenFields = [], callbackFields = [] } = PRESETS[name].options;
    const [address = ''] = codeIn(cellOf(name, 'first request'));
    const url = address.replace(/^API_URL=/, '').replaceAll(/\{(\w+)\}/g, (_, field: string) => {
      expect([...tokenFields, ...callbackFields]).toContain(field);
      return field === apiOriginField?.field ? `https://user.${apiOriginField.domains[0]}` : 'value';
    });
    const { origin } = new URL(url);
    const own = environmentOf(name).MCP_SESSIONS_API_ORIGINS?.split(' ') ?? apiOrigins;
    const ofField = apiOriginField?.domains.map((domain) => `https://user.${domain}`) ?? [];
    expect([...own, ...ofField]).toContain(origin);
  });

  it('lists every reason of a failure and the settings to check, as the code has them', () => {
    const [, table = ''] = /\| reason \| what happened .*\n\|[ -|]+\|\n((?:\|.*\n)+)/.exec(text) ?? [];
    const rows = [...table.matchAll(/^\| `(\w+)` \| .+ \| (.*) \|$/gm)].map(([, reason, settings = '']) => [
      reason,
      codeIn(settings).join(', ') || undefined,
    ]);
    expect(rows).toEqual(Object.entries(FAILURE_TEXTS).map(([reason, { setting }]) => [reason, setting]));
  });

  it.each([
    ['claim', 'The claim that is wrong decides for', ['id_token_claim']],
    ['oauthError', 'The OAuth error decides for', ['authorization_error', 'token_error']],
  ] as const)('names the settings for each %s, as the code has them', (field, start, reasons) => {
    const [, sentence = ''] = new RegExp(`^${start} .*?: (.*)\\.$`, 'm').exec(text) ?? [];
    const parts = sentence.split('; ').map((part) => part.split(' for ').map(codeIn));
    expect(parts.length).toBeGreaterThan(2);
    for (const [settings = [], values = settings] of parts) {
      expect(values).not.toEqual([]);
      for (const reason of reasons)
        for (const value of values)
          expect(
            settingFor({ provider: 'idp', step: 'token', outcome: 'refused', reason, [field]: value }),
          ).toBe(settings.join(', '));
    }
  });

  it.each(rowsWithoutPreset)('has settings for $name that start a server', ({ addresses, settings }) => {
    const server = { name: 'test', version: '1' };
    const providers = optionsOf(addresses, settings);
    expect(() => createSessions({ server, tools: () => undefined, providers })).not.toThrow();
  });

  it('has rows for the providers that need no preset', () => {
    expect(rowsWithoutPreset.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'Auth0',
        'Okta',
        'Zitadel',
        'Authentik',
        'GitLab',
        'Discord',
        'Linear',
        'Drupal, Simple OAuth',
      ]),
    );
  });

  it('names redirect URIs for the addresses of its first step only', () => {
    const [, table = ''] = /### 1\. Choose the address\n\n((?:\|.*\n)+)/.exec(text) ?? [];
    expect(codeIn(table).filter((code) => code.endsWith('/callback'))).toEqual([
      'http://127.0.0.1:3000/callback',
      'https://mcp.example.com/callback',
      'https://abc.tunnel.example/callback',
      'http://127.0.0.1:8765/callback',
    ]);
  });

  describe('its tool', () => {
    const folder = mkdtempSync(join(tmpdir(), 'providers-'));
    afterAll(() => {
      rmSync(folder, { recursive: true });
      vi.unstubAllEnvs();
    });

    it('is a module that the command loads, and requests an address of the account', async () => {
      const file = join(folder, 'tools.mjs');
      writeFileSync(file, /```js\n([\s\S]*?)```/.exec(text)?.[1] ?? '');
      vi.stubEnv('API_URL', '{instance_url}/services/data');
      vi.stubEnv('API_HEADERS', '{"accept":"application/json"}');
      const register = await loadToolsModule(file);
      const handlers: Handler[] = [];
      const server = { registerTool: (_name: string, _options: object, run: Handler) => handlers.push(run) };
      const fetch = vi.fn((_url: string, _init: object) =>
        Promise.resolve(new Response('{"login":"alice"}')),
      );
      const account = () => Promise.resolve({ fields: { instance_url: 'https://acme.my.salesforce.com' } });
      const session = () => ({ account, fetch });
      register(server as never, { session, requireLogin: (handler: Handler) => handler } as never);
      await expect(handlers[0]?.()).resolves.toEqual({
        content: [{ type: 'text', text: '{"login":"alice"}' }],
      });
      expect(fetch).toHaveBeenCalledExactlyOnceWith('https://acme.my.salesforce.com/services/data', {
        headers: { accept: 'application/json' },
      });
    });
  });
});
