import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FaultingProvider, QUIRKS, type QuirkName } from '../packages/sessions/src/testing/index.js';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const page = read('../docs/testing.md');

/** The rows of a table, as cells. */
function rowsAfter(header: string): readonly (readonly string[])[] {
  const [, after = ''] = page.split(`| ${header} |\n`);
  const [table = ''] = after.split('\n\n');
  const [, ...rows] = table.trimEnd().split('\n');
  return rows.map((row) => row.slice(2, -2).split(' | '));
}

const code = (name: string) => `\`${name}\``;

/** The options that only a server has that is configured for the quirk. */
function settingsOf(name: QuirkName): string {
  const { settings = {} } = QUIRKS[name];
  const facts = {
    issuer: 'https://provider.test',
    endpoints: { authorization: '', token: '' },
    clientId: 'test',
    clientSecret: undefined,
  };
  const names = Object.keys(typeof settings === 'function' ? settings(facts) : settings);
  return names.map(code).join(', ') || '–';
}

describe('docs/testing.md', () => {
  it('has every quirk with what it does, its settings and its source, as the code has them', () => {
    const expected = (Object.keys(QUIRKS) as QuirkName[]).map((name) => {
      const { does, seen } = QUIRKS[name];
      return [code(name), does, settingsOf(name), seen === 'own' ? '–' : `[source](${seen})`];
    });
    expect(rowsAfter('quirk | what the provider does | settings | seen at')).toEqual(expected);
  });

  it('describes methods and endpoints that exist, and all endpoints', () => {
    const provider = new FaultingProvider();
    for (const [call = ''] of rowsAfter('call | what happens')) {
      const [, method = ''] = /^`(\w+)\(/.exec(call) ?? [];
      expect(provider).toHaveProperty(method);
    }
    const [, endpoints = ''] = /^The endpoints are (.*?)\. /m.exec(page) ?? [];
    expect(endpoints.match(/\w+(?=`)/g)).toEqual(Object.keys(provider.requests));
  });

  it('shows examples/provider-quirks.ts', () => {
    expect(page).toContain(`\`\`\`ts\n${read('../examples/provider-quirks.ts')}\`\`\`\n`);
  });
});

describe('examples/provider-quirks.ts', () => {
  it('logs in, survives maintenance and a withdrawn grant, and its assertions hold', async () => {
    await expect(import('../examples/provider-quirks.js')).resolves.toBeDefined();
  });
});
