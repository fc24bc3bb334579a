import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  createBareServer,
  messageIn,
  type RawClient,
  rawClient2025,
  rawClient2026,
} from '../support/bare-server.js';
import { request2026 } from '../support/raw-mcp.js';

const MOST = 16_000;

const sessions = createBareServer((server) => {
  const cells = z.array(z.array(z.string()));
  server.registerTool('count', { inputSchema: z.object({ rows: cells }) }, ({ rows }) => ({
    content: [{ type: 'text', text: String(rows.flat().length) }],
  }));
});
afterAll(() => sessions.close());

const clients: Record<string, () => Promise<RawClient>> = {
  '2025': () => rawClient2025(sessions),
  '2026': async () => rawClient2026(sessions),
};
const table = (rows: number, cell: unknown = 'x') => ({
  rows: Array.from({ length: rows }, () => [cell, cell]),
});
const keys = (count: number, value: unknown = 0) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [index.toString(36), value]));

describe.each(Object.keys(clients))('a %s request', (era) => {
  const requestOf = (method: string, params: Record<string, unknown>, meta: object = {}) =>
    request2026(method, params, { meta }).body ?? '';

  it('may have a table of 5,000 rows and 2 columns by default', async () => {
    const client = await clients[era]!();
    const { result } = await client.ask('tools/call', { name: 'count', arguments: table(5000) });
    expect(result?.content).toEqual([{ type: 'text', text: '10000' }]);
  });

  it('with too many elements in tool arguments is refused with the limit [security 40]', async () => {
    const client = await clients[era]!();
    const { result } = await client.ask('tools/call', { name: 'count', arguments: table(MOST / 3 + 1) });
    expect(result).toMatchObject({ isError: true });
    expect(result?.content[0]?.text).toContain(`the maximum of ${MOST} elements`);
  });

  it('whose table does not match the schema gets the first reason [security 40]', async () => {
    const client = await clients[era]!();
    const { result } = await client.ask('tools/call', { name: 'count', arguments: table(5000, 0) });
    expect(result).toMatchObject({ isError: true });
    const { text } = result?.content[0] ?? {};
    expect(text).toMatch(/rows\.0\.0: /);
    expect(text).not.toContain('rows.1');
  });

  it('whose small table does not match the schema gets a few reasons', async () => {
    const client = await clients[era]!();
    const { result } = await client.ask('tools/call', { name: 'count', arguments: table(100, 0) });
    expect(result).toMatchObject({ isError: true });
    expect(result?.content[0]?.text).toMatch(/rows\.0\.0: .*, and 180 more$/);
  });

  it.each<[string, string]>([
    ['`_meta`', requestOf('tools/list', {}, keys(105_000))],
    ['`_meta`, a few', requestOf('tools/list', {}, keys(400))],
    ['params', requestOf('tools/list', keys(400))],
    ['the names of arguments', requestOf('tools/call', { name: 'count', arguments: keys(400) })],
    [
      'arguments of a prompt',
      requestOf('prompts/get', { name: 'none', arguments: { a: [...'x'.repeat(400)] } }),
    ],
    ['arguments, far too many', requestOf('tools/call', { name: 'count', arguments: table(50_000) })],
    [
      'a result',
      JSON.stringify({ jsonrpc: '2.0', id: 1, result: { roots: table(700) }, method: 'x', params: {} }),
    ],
    ['capabilities', requestOf('initialize', { capabilities: { experimental: keys(400, {}) } })],
  ])(
    'with too many elements in %s is answered 400 before anything looks at them [security 40]',
    async (_, body) => {
      const response = await (await clients[era]!()).post(body);
      expect(response.status).toBe(400);
      const { error } = await messageIn(response);
      expect(error?.code).toBe(-32600);
      expect(error?.message).toMatch(
        /^The JSON has too many array elements and object keys\. .* 16,000, the rest of the request 400, or 1,200 in a batch\./,
      );
    },
  );
});

it('a response may have more elements than a request, such as a long list of roots [security 40]', async () => {
  const client = await rawClient2025(sessions);
  const respond = (count: number) =>
    client.post(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { roots: [...'x'.repeat(count)] } }));
  expect((await respond(1100)).status).toBe(202);
  expect((await respond(1200)).status).toBe(400);
});

it('a batch of 100 calls is accepted', async () => {
  const client = await rawClient2025(sessions);
  const call = (id: number) => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: 'count', arguments: table(2), _meta: { progressToken: id } },
  });
  const response = await client.post(
    JSON.stringify(Array.from({ length: 100 }, (_, index) => call(index + 1))),
  );
  expect(response.status).toBe(200);
  expect((await response.text()).match(/"text":"4"/g)).toHaveLength(100);
});

it('the limit on tool arguments is an option', async () => {
  const strict = createBareServer(
    (server) => server.registerTool('any', { inputSchema: z.looseObject({}) }, () => ({ content: [] })),
    { limits: { toolArgumentElements: 10 } },
  );
  const client = rawClient2026(strict);
  const answer = (length: number) =>
    client.ask('tools/call', { name: 'any', arguments: { a: [...'x'.repeat(length)] } });
  expect((await answer(9)).result?.isError).toBe(false);
  expect((await answer(10)).result?.isError).toBe(true);
  await strict.close();
});
