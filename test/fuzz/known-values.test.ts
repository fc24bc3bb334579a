import { expect, it } from 'vitest';
import { type Blueprint, placeholder } from './blueprint.js';
import type { Answer } from './client.js';
import { KnownValues } from './known-values.js';

const CONNECTION = 'c'.repeat(43);

const blueprint = (pendingLogin: number, more: Partial<Blueprint> = {}): Blueprint => ({
  kind: 'login: begin',
  method: 'POST',
  path: '/mcp',
  headers: [],
  pendingLogin,
  begins: { tool: 'login', provider: 'main', flow: 'link' },
  credential: { kind: 'good', guest: pendingLogin },
  ...more,
});

function begun(link: string, headers: Answer['headers'] = {}): Answer {
  const text = `{"status":"pending","loginUrl":"http://127.0.0.1:1/connect/${link}","session":"${link.repeat(43)}"}`;
  return { status: 200, headers, text, end: 'complete' };
}

it('a browser does not open the link of another guest, whose connection the client used', () => {
  const known = new KnownValues('http://127.0.0.1:1', [], {
    members: [],
    guests: ['of guest 0', 'of guest 1'],
    flawed: {},
  });
  known.open(blueprint(1)).learn(begun('b', { 'mcp-session-id': CONNECTION }));
  const changed = known.open(blueprint(0, { headers: [['mcp-session-id', CONNECTION]] }));
  expect(changed.request.headers).toContainEqual(['authorization', 'Bearer of guest 1']);
  changed.learn(begun('b'));
  const opened = (slot: number) =>
    known.open({ kind: 'page', method: 'GET', path: placeholder('link', slot), headers: [] }).request.path;
  expect(opened(1)).toBe('/connect/b');
  expect(opened(0)).not.toBe('/connect/b');
});
