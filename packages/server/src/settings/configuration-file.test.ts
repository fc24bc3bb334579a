import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readConfigurationFile } from './configuration-file.js';
import { LEAVES } from './setting-list.js';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'configuration-file-test-'));
  path = join(folder, 'mcp.yaml');
});
afterAll(() => rmSync(folder, { recursive: true }));

function read(content: string) {
  writeFileSync(path, content);
  return readConfigurationFile(path).given;
}

/** The message of the refusal, without the folder; `undefined` if the file is accepted. */
function messageOf(content: string): string | undefined {
  try {
    read(content);
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ name: 'ConfigurationError' });
    return String((error as Error).message).replaceAll(`${folder}/`, '');
  }
}

function refusalOf(content: string): string {
  const message = messageOf(content);
  if (message === undefined) throw new Error('The file is accepted.');
  return message;
}

const FULL = `
# a comment
publicUrl: https://mcp.example.com
providers:
  - issuer: https://id.example.com
    clientId: a
    endpoints:
      authorization: https://id.example.com/a
      token: https://id.example.com/t
  - preset: github
    clientId: b
    clientSecretFile: secrets/github
limits: { pendingLogins: 20 }
`;

describe('a configuration file', () => {
  it('has each value with its line, for several providers', () => {
    const lines = new Map(
      read(FULL).map(({ path: at, origin }) => [
        at.join('.'),
        origin.kind === 'file' ? origin.line : undefined,
      ]),
    );
    expect(Object.fromEntries(lines)).toEqual({
      publicUrl: 3,
      'providers.0.issuer': 5,
      'providers.0.clientId': 6,
      'providers.0.endpoints': 7,
      'providers.1.preset': 10,
      'providers.1.clientId': 11,
      'providers.1.clientSecretFile': 12,
      'limits.pendingLogins': 13,
    });
  });

  it('may be JSON, also indented by tabs, and may be empty', () => {
    expect(read('{\n\t"listen": {\n\t\t"port": 8080\n\t}\n}')).toMatchObject([
      { path: ['listen', 'port'], value: 8080, origin: { line: 3 } },
    ]);
    expect(read('')).toEqual([]);
    expect(read('# nothing yet\n')).toEqual([]);
  });

  it('has paths that are relative to its folder', () => {
    const values = read('tools: ./tools.mjs\nbranding: { logo: /srv/logo.png }').map(({ value }) => value);
    expect(values).toEqual([join(folder, 'tools.mjs'), '/srv/logo.png']);
  });

  it.each([
    ['listen:\n  prot: 1', 'mcp.yaml:2: listen.prot is not a setting. Did you mean port?'],
    ['listen:\n  port: 70000', 'mcp.yaml:2: listen.port must be a port from 0 to 65535. Correct that line.'],
    ['listen: 5', 'mcp.yaml:1: listen must be a group of settings, such as { host: … }. Correct that line.'],
    [
      'access: open',
      'mcp.yaml:1: access must be a group of settings, such as { mode: … }. Correct that line.',
    ],
    [
      '\nproviders:\n  - clientId: a\n    scopes: openid',
      'mcp.yaml:4: providers[0].scopes must be a list of texts.',
    ],
    ['providers: [{ endpoints: {} }]', 'mcp.yaml:1: providers[0].endpoints.authorization is missing.'],
    ['tools: a\ntools: b', 'mcp.yaml:2: This is not valid YAML: Map keys must be unique. Correct that line.'],
    ['tools: *a', 'mcp.yaml:1: This is not valid YAML: an alias has no anchor before it. Correct that line.'],
    ['tools: a\n---\ntools: b', /^mcp\.yaml:2: This is not valid YAML: /],
    ['tools: "a', /^mcp\.yaml:1: This is not valid YAML: Missing closing "quote. Correct that line\.$/],
  ])('that is wrong is refused with its line, the reason and the next step: %j', (content, message) => {
    const refusal = refusalOf(content);
    if (typeof message === 'string') expect(refusal.slice(0, message.length)).toBe(message);
    else expect(refusal).toMatch(message);
  });

  it('that does not exist is refused with what names it', () => {
    expect(() => readConfigurationFile(join(folder, 'none.yaml'))).toThrow(
      /none\.yaml does not exist\. .*--config or MCP_SESSIONS_CONFIG\.$/,
    );
  });

  it.each([
    [
      'providers: [{ clientSecret: canary }]',
      'providers[0].clientSecret',
      'clientSecretFile',
      'CLIENT_SECRET',
    ],
    ['providers: [{ clientKey: { d: canary } }]', 'providers[0].clientKey', 'clientKeyFile', 'CLIENT_KEY'],
    [
      'access: { signIn: { clientSecret: canary } }',
      'access.signIn.clientSecret',
      'clientSecretFile',
      'SIGN_IN_CLIENT_SECRET',
    ],
    ['cluster: { keys: [canary] }', 'cluster.keys', 'keysFile', 'MASTER_KEYS'],
    ['cluster: { url: "redis://:canary@a" }', 'cluster.url', 'user or password', 'REDIS_URL'],
  ])('may not contain a secret, and the message does not either: %s', (content, key, file, variable) => {
    const message = refusalOf(content);
    expect(message).toMatch(/^mcp\.yaml:1: /);
    for (const part of [key, file, `MCP_SESSIONS_${variable}`]) expect(message).toContain(part);
    expect(message).not.toContain('canary');
  });

  it('is refused with the path of any unknown key, at any depth', () => {
    const places: [path: string, at: (key: string) => object][] = [
      ['', (key) => ({ [key]: 1 })],
      ['listen.', (key) => ({ listen: { port: 1, [key]: 1 } })],
      ['limits.', (key) => ({ limits: { [key]: 1 } })],
      ['access.signIn.', (key) => ({ access: { signIn: { clientId: 'a', [key]: 1 } } })],
      ['providers[0].', (key) => ({ providers: [{ clientId: 'a', [key]: 1 }] })],
      ['providers[1].endpoints.', (key) => ({ providers: [{ clientId: 'a' }, { endpoints: { [key]: 1 } }] })],
      ['providers[0].userInfoRequest.', (key) => ({ providers: [{ userInfoRequest: { [key]: 1 } }] })],
    ];
    const known = new Set(LEAVES.flatMap((leaf) => leaf.path));
    const innerKeys = ['authorization', 'token', 'userInfo', 'revocation', 'deviceAuthorization', 'jwks'];
    const unknownKey = fc
      .string({ minLength: 1, maxLength: 30, unit: 'grapheme-ascii' })
      .filter((key) => !known.has(key) && !innerKeys.includes(key) && !/^\d+$|^[*]$/.test(key))
      .filter(
        (key) => !['providers', 'access', 'listen', 'limits', 'lifetimes', 'stdio', 'demo'].includes(key),
      )
      .filter((key) => !['branding', 'introspection', 'signIn', 'method', 'headers', 'body'].includes(key));
    fc.assert(
      fc.property(fc.constantFrom(...places), unknownKey, fc.boolean(), ([at, contentWith], key, isJson) => {
        const content = isJson ? JSON.stringify(contentWith(key)) : stringify(contentWith(key));
        const message = refusalOf(content);
        expect(message).toMatch(/^mcp\.yaml:\d+: /);
        expect(message).toContain(`: ${at}${key} is not a setting. `);
      }),
    );
  });

  it('is refused without a word of a secret in it, wherever the file is broken', () => {
    const lines = ['providers:', '  - clientId: a', '    clientSecret: "canary-0123"', '    scopes: [a, b]'];
    const content = `${lines.join('\n')}\n`;
    const broken = fc.oneof(fc.constantFrom(...'{}[]:,&*!|>%@`"\'#\t\n\\-?'), fc.string({ maxLength: 3 }));
    fc.assert(
      fc.property(fc.nat(content.length), broken, fc.nat(3), (at, inserted, dropped) => {
        const changed = content.slice(0, at) + inserted + content.slice(at + dropped);
        // A part of the secret can become a key, which messages name.
        fc.pre(!/^\s*[^:]*canary[^:]*:|0123"?:/m.test(changed.replace('clientSecret:', '')));
        // With the secret in a comment, it is accepted.
        expect(messageOf(changed) ?? '').not.toMatch(/canar|0123/);
      }),
    );
  });
});
