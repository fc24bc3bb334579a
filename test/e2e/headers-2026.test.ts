import { fromJsonSchema } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import {
  client2026,
  connect2025,
  logIn,
  messageOf,
  type RawAnswer,
  type RawRequest,
  request2026,
  send,
} from '../support/raw-mcp.js';

const HEADER_MISMATCH = -32020;
const UNKNOWN_ID = 'A'.repeat(43);
const PAGE = 'test://page';
const GREETING = 'Grüße, 世界';

/** The tool `deliver` repeats its two annotated arguments in `Mcp-Param-Region` and `Mcp-Param-Count`. */
const deliverySchema = {
  type: 'object',
  properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    count: { type: 'integer', 'x-mcp-header': 'Count' },
    note: { type: 'string' },
  },
} as const;

const executed: unknown[] = [];
let notes: InProcessNotes;

beforeAll(async () => {
  notes = await startInProcessNotes({
    tools: (server) => {
      const inputSchema = fromJsonSchema(deliverySchema);
      server.registerTool('deliver', { description: 'Leaves a trace', inputSchema }, (args) => {
        executed.push(args);
        return { content: [] };
      });
      server.registerPrompt('compose', { description: 'Leaves a trace' }, () => {
        executed.push('compose');
        return { messages: [] };
      });
      server.registerResource('page', PAGE, { description: 'Leaves a trace' }, () => {
        executed.push(PAGE);
        return { contents: [] };
      });
    },
  });
});

beforeEach(() => {
  executed.length = 0;
});

afterAll(() => notes.close());

/** Changes to the headers of a request. `undefined` removes a header. */
type Headers = Readonly<Record<string, string | undefined>>;

function ask({ headers, ...request }: RawRequest, changes: Headers = {}): Promise<RawAnswer> {
  const changed = Object.entries({ ...headers, ...changes });
  const sent = changed.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return send(notes.mcp, { ...request, headers: Object.fromEntries(sent) });
}

function deliver(args: Record<string, unknown>, changes: Headers = {}): Promise<RawAnswer> {
  return ask(request2026('tools/call', { name: 'deliver', arguments: args }), changes);
}

const base64 = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`;

function expectMismatch(answer: RawAnswer): void {
  expect(answer.status).toBe(400);
  expect(answer.headers['content-type']).toMatch('application/json');
  expect(messageOf(answer)).toMatchObject({ id: 7, error: { code: HEADER_MISMATCH } });
  expect(executed).toEqual([]);
}

function expectServed(answer: RawAnswer, trace: unknown): void {
  expect(answer.status).toBe(200);
  expect(messageOf(answer).error).toBeUndefined();
  expect(executed).toEqual([trace]);
}

describe('a 2026 request whose headers differ from its body has no effect', () => {
  it.each<[string, Headers]>([
    ['another Mcp-Method', { 'mcp-method': 'tools/list' }],
    ['an Mcp-Method in another case', { 'mcp-method': 'Tools/Call' }],
    ['no Mcp-Method', { 'mcp-method': undefined }],
    ['another tool as Mcp-Name', { 'mcp-name': 'whoami' }],
    ['an Mcp-Name in another case', { 'mcp-name': 'DELIVER' }],
    ['another tool as encoded Mcp-Name', { 'mcp-name': base64('whoami') }],
    ['an Mcp-Name that is not Base64 but says so', { 'mcp-name': '=?base64?!?=' }],
    ['no Mcp-Name', { 'mcp-name': undefined }],
    ['another MCP-Protocol-Version', { 'mcp-protocol-version': '2025-11-25' }],
    ['an unknown MCP-Protocol-Version', { 'mcp-protocol-version': '2027-01-01' }],
    ['no MCP-Protocol-Version', { 'mcp-protocol-version': undefined }],
    ['no header of the revision', { 'mcp-protocol-version': undefined, 'mcp-method': undefined }],
  ])('with %s', async (_, changes) => {
    expectMismatch(await deliver({}, changes));
  });

  it.each<[string, Headers]>([
    ['another value', { 'mcp-param-region': 'us' }],
    ['the value in another case', { 'mcp-param-region': 'EU' }],
    ['another value, encoded', { 'mcp-param-region': base64('us') }],
    ['no value', { 'mcp-param-region': undefined }],
    ['what is not Base64 but says so', { 'mcp-param-region': '=?base64?!?=' }],
    ['another number beside it', { 'mcp-param-count': '43' }],
    ['no number beside it', { 'mcp-param-count': undefined }],
  ])('with %s in the header of an argument', async (_, changes) => {
    const right = { 'mcp-param-region': 'eu', 'mcp-param-count': '42' };
    expectMismatch(await deliver({ region: 'eu', count: 42 }, { ...right, ...changes }));
  });

  it.each<[string, Record<string, unknown>]>([
    ['prompts/get', { name: 'compose' }],
    ['resources/read', { uri: PAGE }],
  ])('by %s of something else than its Mcp-Name', async (method, params) => {
    const request = request2026(method, params);
    for (const name of ['another', undefined]) expectMismatch(await ask(request, { 'mcp-name': name }));
    expectServed(await ask(request), params.name ?? params.uri);
  });

  it('as `initialize` with the 2026 version, and starts no session', async () => {
    const before = notes.events.length;
    const clientInfo = { name: 'raw', version: '1' };
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'initialize', params });
    const answer = await ask({ ...request2026('initialize', {}), body });
    expectMismatch(answer);
    expect(answer.headers).not.toHaveProperty('mcp-session-id');
    expect(notes.events.slice(before)).toEqual([]);
  });
});

describe('a 2026 request', () => {
  it.each<[string, Headers]>([
    [
      'with the names of its headers in another case',
      { 'mcp-method': undefined, 'MCP-METHOD': 'tools/call' },
    ],
    ['with blanks around the values of its headers', { 'mcp-name': ' deliver\t' }],
    ['with its name encoded', { 'mcp-name': base64('deliver') }],
    ['with a header for an argument that has none', { 'mcp-param-note': 'connection_expired' }],
    ['with a Last-Event-ID', { 'last-event-id': '1' }],
  ])('%s is served', async (_, changes) => {
    expectServed(await deliver({ note: 'x' }, changes), { note: 'x' });
  });

  it.each<[string, Record<string, unknown>, Headers]>([
    ['as they are', { region: 'eu', count: 42 }, { 'mcp-param-region': 'eu', 'mcp-param-count': '42' }],
    ['encoded', { region: GREETING }, { 'mcp-param-region': base64(GREETING) }],
    ['written as another number of the same value', { count: 42 }, { 'mcp-param-count': '42.0' }],
    ['not at all, having none', { note: 'x' }, {}],
  ])('with the headers of its arguments %s is served', async (_, args, changes) => {
    expectServed(await deliver(args, changes), args);
  });

  it('of an unsupported revision gets the list of supported ones', async () => {
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2027-01-01' };
    const request = request2026('tools/call', { name: 'deliver', arguments: {} }, { meta });
    const answer = await ask(request, { 'mcp-protocol-version': '2027-01-01' });
    expect(answer.status).toBe(400);
    expect(messageOf(answer).error?.code).toBe(-32022);
    expect(answer.text).toContain('"2026-07-28"');
    expect(executed).toEqual([]);
  });

  it('that names its revision only in the header is refused', async () => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'deliver' } });
    const request = { ...request2026('tools/call', { name: 'deliver' }), body };
    const { secret } = await connect2025(notes.mcp);
    for (const changes of [{}, { 'mcp-session-id': secret }]) {
      const answer = await ask(request, changes);
      expect(answer.status).toBe(400);
      expect(messageOf(answer).error?.code).toBe(-32602);
    }
    expect(executed).toEqual([]);
  });

  it('with an unknown method is answered 404', async () => {
    const answer = await ask(request2026('ping', {}));
    expect(answer.status).toBe(404);
    expect(messageOf(answer).error?.code).toBe(-32601);
  });
});

describe('the 2026 revision has', () => {
  it.each(['GET', 'DELETE', 'PUT'])(
    'no %s, which is answered 405 and ends no 2025 session [security 54]',
    async (method) => {
      const client = await connect2025(notes.mcp);
      for (const id of [undefined, UNKNOWN_ID, client.secret]) {
        const { headers } = request2026('tools/call', {});
        const answer = await ask({ method, ...(headers && { headers }) }, { 'mcp-session-id': id });
        expect(answer.status).toBe(405);
        expect(answer.headers.allow).toBe('POST');
        expect(answer.headers).not.toHaveProperty('mcp-session-id');
      }
      await client.call('deliver');
      expect(executed).toHaveLength(1);
    },
  );

  it('no Mcp-Session-Id, which is ignored and not echoed [security 54]', async () => {
    const alice = await logIn(await connect2025(notes.mcp), new Browser(), 'alice');
    const handle = (await logIn(client2026(notes.mcp), new Browser(), 'bob')).secret;
    for (const id of [alice.secret, handle, UNKNOWN_ID, 'x', 'A'.repeat(5000)]) {
      const session = { 'mcp-session-id': id };
      const delivered = await deliver({}, session);
      expectServed(delivered, {});
      executed.length = 0;
      const discovered = await ask(request2026('server/discover', {}), session);
      expect(discovered.status).toBe(200);
      const anonymous = await ask(request2026('tools/call', { name: 'whoami', arguments: {} }), session);
      expect(messageOf(anonymous).result).toMatchObject({ isError: true });
      const mismatched = await deliver({}, { ...session, 'mcp-name': 'whoami' });
      expectMismatch(mismatched);

      for (const answer of [delivered, discovered, anonymous, mismatched]) {
        expect(answer.headers).not.toHaveProperty('mcp-session-id');
        expect(answer.text).not.toContain(`${id}"`);
        expect(answer.text).not.toMatch(/alice|bob/);
      }
    }
  });
});
