import { fromJsonSchema, inputRequired, ProtocolError } from '@modelcontextprotocol/server';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createSessions, type RegisterTools, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn } from '../../packages/sessions/src/testing/index.js';
import { registerContentTools } from '../conformance/content-tools.js';
import { registerInputRequiredTools, requestState } from '../conformance/input-required-tools.js';
import { registerServerRequestTools } from '../conformance/server-request-tools.js';
import {
  connect2025,
  JSON_HEADERS,
  messageOf,
  type RawAnswer,
  type RawRequest,
  request2026,
  send,
} from '../support/raw-mcp.js';
import { ERAS } from '../support/transcribed-server.js';

/** What the tool `answer` returns, or throws. The same on both servers. */
let outcome: () => unknown = () => ({ content: [] });
/** The calls of tools, and whether the library made their context. */
const calls: { readonly name: string; readonly isDirect: boolean }[] = [];

type Context = Parameters<Parameters<Parameters<RegisterTools>[0]['registerTool']>[2]>[1];

/** The library makes the signal when a tool asks for it; the SDK always does. */
function note(name: string, { mcpReq }: { mcpReq: object }): void {
  const isDirect = Object.getOwnPropertyDescriptor(mcpReq, 'signal')?.get !== undefined;
  calls.push({ name, isDirect });
}

const text = (value: unknown) => ({ content: [{ type: 'text' as const, text: String(value) }] });

/** What a tool sees of its call, apart from what differs between two servers. */
function shown(context: Context): object {
  const { mcpReq, http, ...rest } = context as never as Record<string, Record<string, unknown>>;
  const { req, ...ofHttp } = http ?? {};
  const { headers, url, method } = req as Request;
  const { host: _host, ...others } = Object.fromEntries(headers);
  return {
    keys: [Object.keys(context), Object.keys(mcpReq ?? {}), Object.keys(http ?? {})],
    rest,
    request: Object.entries(mcpReq ?? {}).map(([name, value]) => [
      name,
      typeof value === 'function' ? 'f' : value,
    ]),
    state: (mcpReq as Context['mcpReq']).requestState(),
    isAborted: (mcpReq as Context['mcpReq']).signal.aborted,
    ofHttp: Object.keys(ofHttp),
    headers: others,
    url: new URL(url).pathname,
    method,
  };
}

/** An argument that clients repeat in a header. */
const mirroredSchema = {
  type: 'object',
  properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
} as const;

const tools: RegisterTools = (server, context) => {
  registerContentTools(server);
  registerInputRequiredTools(server);
  registerServerRequestTools(server);
  server.registerTool('answer', {}, async (protocol) => {
    note('answer', protocol);
    return outcome() as never;
  });
  server.registerTool(
    'checked',
    {
      inputSchema: z.object({ count: z.number().int().default(1), name: z.string().optional() }),
      outputSchema: z.object({ total: z.number() }),
    },
    async ({ count, name }, protocol) => {
      note('checked', protocol);
      const structuredContent = name === 'wrong' ? ({ total: 'many' } as never) : { total: count };
      return name === 'none' ? text(count) : { ...text(count), structuredContent };
    },
  );
  server.registerTool('see', { inputSchema: z.looseObject({}) }, async (args, protocol) => {
    note('see', protocol);
    const { server: ofClient } = server;
    const client = [
      ofClient.getClientCapabilities(),
      ofClient.getClientVersion(),
      ofClient.getNegotiatedProtocolVersion(),
    ];
    return text(JSON.stringify({ args, client, ...shown(protocol) }));
  });
  server.registerTool('tell', { inputSchema: z.object({ mode: z.string() }) }, async ({ mode }, protocol) => {
    note('tell', protocol);
    const { mcpReq } = protocol;
    const tell = (data: string) =>
      mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } });
    if (mode === 'waits') await tell('a');
    void tell('b');
    void tell('c');
    if (mode === 'throws') throw new Error('after it told');
    if (mode === 'asks')
      await mcpReq.elicitInput({ message: 'Well?', requestedSchema: { type: 'object', properties: {} } });
    if (mode === 'logs') await mcpReq.log('error', 'logged');
    return text(mode);
  });
  server.registerTool(
    'mirrored',
    {
      inputSchema: fromJsonSchema(mirroredSchema),
    },
    async (args) => text(JSON.stringify(args)),
  );
  server.registerTool('challenged', { scopeChallenge: () => ['more'] } as object, async () =>
    text('challenged'),
  );
  server.registerTool('off', {}, async () => text('off')).disable();
  server.registerTool(
    'mine',
    {},
    context.requireLogin(async (protocol: Context) => {
      note('mine', protocol);
      return text((await context.session().account())?.subject);
    }),
  );
  const changing = server.registerTool('changing', {}, async () => text('first'));
  changing.update({ name: 'changed', callback: async () => text('second') });
};

interface Server {
  readonly sessions: Sessions;
  readonly mcp: string;
  readonly provider: FaultingProvider;
  readonly logged: string[];
  /** A connection of the 2025 revisions. */
  readonly connection: string;
}

async function start(dispatch: 'direct' | 'sdk'): Promise<Server> {
  const provider = new FaultingProvider();
  const logged: string[] = [];
  const logger = pino(
    { level: 'warn' },
    { write: (line) => void logged.push(JSON.parse(line).err?.message) },
  );
  const sessions = createSessions({
    server: {
      name: 'both',
      version: '1.0.0',
      title: 'Both “ways”',
      capabilities: { logging: {} },
      requestState,
    },
    providers: provider.options,
    tools,
    dispatch,
    logger,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch },
  });
  const { url } = await sessions.listen({ port: 0 });
  const { secret } = await connect2025(url);
  return { sessions, mcp: url, provider, logged, connection: secret };
}

let direct: Server;
let sdk: Server;

beforeAll(async () => {
  [direct, sdk] = [await start('direct'), await start('sdk')];
});

afterAll(() => Promise.all([direct.sessions.close(), sdk.sessions.close()]));

/** A request with the same bytes for each server. */
type RequestOf = RawRequest | ((server: Server) => RawRequest);

/** An answer without what differs between any two answers. */
function comparable(
  { status, headers: { date: _date, ...headers }, text: body }: RawAnswer,
  { connection }: Server,
): unknown {
  const own = body
    // Each state has a nonce of its own, and each stream its event ids.
    .replaceAll(/"requestState":"[^"]*"/g, '"requestState":"…"')
    .replaceAll(/^id: .*$/gm, 'id: …')
    .replaceAll(connection, 'the connection');
  const { 'content-length': length, 'mcp-session-id': id, ...others } = headers;
  return {
    status,
    headers: { ...others, isNamed: id === connection, ...(own === body && { length }) },
    body: own,
  };
}

/** Sends the same request to both servers, and expects the same answer. @returns whether the library called the tool */
async function expectSame(request: RequestOf): Promise<{ isDirect: boolean; answer: RawAnswer }> {
  calls.length = 0;
  direct.logged.length = 0;
  sdk.logged.length = 0;
  const of = (server: Server) => (typeof request === 'function' ? request(server) : request);
  const answer = await send(direct.mcp, of(direct));
  const called = calls.splice(0);
  const expected = await send(sdk.mcp, of(sdk));
  expect(comparable(answer, direct)).toEqual(comparable(expected, sdk));
  expect(direct.logged).toEqual(sdk.logged);
  expect(calls.map(({ isDirect }) => isDirect)).toEqual(calls.map(() => false));
  expect(called.map(({ name }) => name)).toEqual(calls.map(({ name }) => name));
  return { isDirect: called.some(({ isDirect }) => isDirect), answer };
}

const call = (name: string, args?: Record<string, unknown>, options?: Parameters<typeof request2026>[2]) =>
  request2026('tools/call', { name, ...(args && { arguments: args }) }, options);

/** A message on the 2025 connection of a server. */
const post2025 =
  (message: object, headers: Record<string, string> = {}) =>
  ({ connection }: Server): RawRequest => ({
    method: 'POST',
    headers: {
      ...JSON_HEADERS,
      'mcp-session-id': connection,
      'mcp-protocol-version': '2025-11-25',
      ...headers,
    },
    body: JSON.stringify(message),
  });

const call2025 = (name: string, args?: Record<string, unknown>) =>
  post2025({
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: { name, ...(args && { arguments: args }) },
  });

/** The tools that wait for an answer of their 2025 client. */
const AWAITED: ReadonlySet<string> = new Set(['test_sampling', 'test_elicitation']);

describe.each(ERAS)(
  'a call of %s that the library dispatches is answered, byte for byte, as the SDK answers it',
  (era) => {
    const ask = era === '2026' ? call : call2025;

    it.each([
      'test_simple_text',
      'test_image_content',
      'test_audio_content',
      'test_embedded_resource',
      'test_multiple_content_types',
      'test_error_handling',
      'test_tool_with_logging',
      'test_logging_tool',
      'test_tool_with_progress',
      'json_schema_2020_12_tool',
      'test_x_mcp_header',
      'test_echo_arguments',
      'test_sampling',
      'test_elicitation',
      'challenged',
      'off',
      'mine',
      'changing',
      'changed',
      'mirrored',
      'unknown',
      'login',
      'logout',
      'session_status',
    ])('for the tool %s, with fitting arguments, with others, and with none', async (name) => {
      const args = { value: 'Grüße', name: 'a', phone: '1', prompt: 'p', message: 'm', region: 'eu' };
      // A login has a link of its own.
      const isLogin = name === 'login';
      if (era === '2025' && (isLogin || AWAITED.has(name))) return;
      for (const given of [args, {}, undefined, { value: 7, region: 7 }]) {
        if (!isLogin) await expectSame(ask(name, given));
      }
      await expectSame(ask(name, { session: 'A'.repeat(43) }));
      await expectSame(ask(name, { session: 7 }));
    });

    it('for every result that a tool can return', async () => {
      const texts = fc.array(fc.record({ type: fc.constant('text'), text: fc.string({ unit: 'binary' }) }));
      const block = fc.oneof(
        fc.record({ text: fc.string(), type: fc.constant('text') }),
        fc.record(
          {
            type: fc.constantFrom('text', 'image', 'audio', 'resource_link', 'resource', 'other'),
            text: fc.anything(),
            data: fc.base64String(),
            mimeType: fc.string(),
            uri: fc.webUrl(),
            name: fc.string(),
            annotations: fc.record({ priority: fc.double({ min: 0, max: 1 }) }),
            _meta: fc.dictionary(fc.string(), fc.jsonValue()),
          },
          { requiredKeys: ['type'] },
        ),
        fc.anything(),
      );
      const unusual = fc.anything({
        withBigInt: true,
        withDate: true,
        withNullPrototype: true,
        withMap: true,
      });
      const structured = fc.oneof(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), unusual)),
        unusual,
      );
      const result = fc.oneof(
        fc.record(
          {
            content: fc.oneof(texts, fc.array(block, { maxLength: 3 })),
            structuredContent: structured,
            isError: fc.oneof(fc.boolean(), fc.constantFrom(undefined, 'yes')),
          },
          { requiredKeys: [] },
        ),
        fc.record(
          {
            isError: fc.boolean(),
            structuredContent: structured,
            _meta: fc.oneof(fc.constant(undefined), fc.dictionary(fc.string(), fc.jsonValue())),
            content: texts,
            resultType: fc.constantFrom('complete', 'input_required', 'other'),
            more: fc.jsonValue(),
          },
          { requiredKeys: ['content'] },
        ),
        fc.anything(),
      );
      let directly = 0;
      let plainly = 0;
      await fc.assert(
        fc.asyncProperty(result, async (returned) => {
          outcome = () => returned;
          const { isDirect } = await expectSame(ask('answer'));
          if (isDirect) directly++;
          plainly++;
        }),
        { numRuns: era === '2026' ? 300 : 100 },
      );
      expect(directly).toBe(plainly);
    });

    it.each<[string, () => unknown]>([
      ['an error', () => new Error('It failed.')],
      ['an error of the protocol', () => new ProtocolError(-32_602, 'Wrong.', { why: 1 })],
      ['one that asks for an address', () => new ProtocolError(-32_042, 'Open this.', { elicitations: [] })],
      ['a text', () => 'just a text'],
      ['nothing', () => undefined],
      ['an error without a message', () => Object.assign(new Error('x'), { message: undefined })],
      ['an error that cannot be sent', () => Object.assign(new Error('x'), { data: 1n })],
    ])('if the tool throws %s', async (_what, make) => {
      outcome = () => {
        throw make();
      };
      expect((await expectSame(ask('answer'))).isDirect).toBe(true);
    });

    it.each<[string, () => unknown]>([
      ['asks its client for input', () => inputRequired({ inputRequests: {}, requestState: 'x' })],
      [
        'has a cycle',
        () => {
          const a: Record<string, unknown> = {};
          a.a = a;
          return { content: [], structuredContent: a };
        },
      ],
      [
        'has a promise',
        () => ({ content: [], structuredContent: { a: Promise.reject(new Error('unseen')) } }),
      ],
      [
        'has a hidden property',
        () => ({ content: [], structuredContent: Object.defineProperty({}, 'toJSON', { value: () => 1 }) }),
      ],
      [
        'has a property that throws',
        () => ({
          content: [],
          get structuredContent() {
            throw new Error('unreadable');
          },
        }),
      ],
      ['inherits its content', () => Object.create({ content: [] })],
      ['is a promise', () => Promise.resolve({ content: [{ text: 'later', type: 'text' }] })],
    ])('if the result %s', async (_what, make) => {
      outcome = make;
      expect((await expectSame(ask('answer'))).isDirect).toBe(true);
    });

    it.each(['waits', 'throws', 'asks', 'logs', 'returns'])(
      'if the tool sends notifications, and then %s',
      async (mode) => {
        const { isDirect, answer } = await expectSame(ask('tell', { mode }));
        expect(isDirect).toBe(true);
        expect(answer.headers['content-type']).toBe('text/event-stream');
        expect(answer.text.match(/"data":"[abc]"/g)).toEqual(
          mode === 'waits' ? ['"data":"a"', '"data":"b"', '"data":"c"'] : ['"data":"b"', '"data":"c"'],
        );
      },
    );

    it.each([
      {},
      { count: 3 },
      { count: 'three' },
      { count: 1.5 },
      { name: 'wrong' },
      { name: 'none' },
      { more: 1 },
    ])('if a tool has schemas, for the arguments %j', async (args) => {
      await expectSame(ask('checked', args));
      await expectSame(ask('checked', { ...args, session: 'unknown' }));
    });
  },
);

describe('a call of 2025 that the library dispatches is answered, byte for byte, as the SDK answers it', () => {
  it('for every way to write the request', async () => {
    const params = fc.record(
      {
        name: fc.constantFrom('see', 'see', 'checked', ' see', 'unknown', 7),
        arguments: fc.oneof(
          fc.dictionary(fc.string(), fc.jsonValue()),
          fc.jsonValue(),
          fc.constant({ count: 2 }),
        ),
        _meta: fc.oneof(
          fc.record(
            {
              progressToken: fc.oneof(fc.string(), fc.integer(), fc.constant(null)),
              traceparent: fc.string(),
              'dev.mcp-sessions/session': fc.string(),
              'io.modelcontextprotocol/clientInfo': fc.jsonValue(),
            },
            { requiredKeys: [] },
          ),
          fc.jsonValue(),
        ),
        requestState: fc.string(),
        inputResponses: fc.jsonValue(),
        task: fc.constant({ ttl: 1 }),
        more: fc.jsonValue(),
      },
      { requiredKeys: ['name'] },
    );
    const plain = fc.record({
      name: fc.constantFrom('see', 'checked'),
      arguments: fc.constant({ count: 2 }),
    });
    const message = fc.record(
      {
        jsonrpc: fc.constantFrom('2.0', '2.0', '2.0', '1.0'),
        id: fc.oneof(fc.integer(), fc.string(), fc.double(), fc.constantFrom(null, true, 'a'.repeat(257))),
        method: fc.constantFrom('tools/call', 'tools/call', 'tools/list', 'tools/callx', 'ping', 7),
        params: fc.oneof(plain, params, params, fc.jsonValue()),
        result: fc.constant({}),
        more: fc.jsonValue(),
      },
      { requiredKeys: ['jsonrpc', 'method', 'params'] },
    );
    const headers = fc.record(
      {
        'mcp-protocol-version': fc.constantFrom(
          '2025-11-25',
          '2025-11-25',
          '2025-06-18',
          '2025-03-26',
          '2024-11-05',
          '2099-01-01',
          '2026-07-28',
        ),
        'mcp-session-id': fc.constant('A'.repeat(43)),
        'content-type': fc.constantFrom('application/json', 'application/json; charset=utf-8', 'text/plain'),
        accept: fc.constantFrom('*/*', 'application/json', 'text/event-stream', 'text/html'),
        authorization: fc.constant('Bearer secret'),
        'x-custom': fc.constant('value'),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(message, fc.oneof(fc.constant({}), headers), async (sent, given) => {
        await expectSame(post2025(sent, given));
      }),
      { numRuns: 200 },
    );
  });

  it('and shows the tool the same call', async () => {
    const seen = await expectSame(call2025('see', { a: [1, { b: null }] }));
    expect(seen.isDirect).toBe(true);
    expect(JSON.parse(messageOf(seen.answer).result?.content[0]?.text ?? '')).toMatchObject({
      args: { a: [1, { b: null }] },
      client: [{}, { name: 'raw', version: '1' }, '2025-11-25'],
      rest: { sessionId: direct.connection },
      isAborted: false,
    });
  });

  it('in a session with a login', async () => {
    for (const server of [direct, sdk]) {
      const login = async (args: Record<string, unknown>) =>
        messageOf(await send(server.mcp, call2025('login', args)(server))).result?.structuredContent ?? {};
      const { loginUrl } = await login({});
      const { code } = await logIn(server.sessions, loginUrl, { provider: server.provider, user: 'alice' });
      await login(code ? { code } : {});
    }
    const called = await expectSame(call2025('mine'));
    expect(called.isDirect).toBe(true);
    expect(messageOf(called.answer).result?.content[0]?.text).toBe('alice');
    for (const server of [direct, sdk]) await send(server.mcp, call2025('logout')(server));
    expect((await expectSame(call2025('mine'))).isDirect).toBe(false);
  });
});

describe('a call of 2026 that the library dispatches is answered, byte for byte, as the SDK answers it', () => {
  it('for every way to write the request', async () => {
    const revision = 'io.modelcontextprotocol/protocolVersion';
    const info = 'io.modelcontextprotocol/clientInfo';
    const capabilities = 'io.modelcontextprotocol/clientCapabilities';
    const meta = fc.record(
      {
        [revision]: fc.constantFrom('2026-07-28', '2026-07-28', '2025-11-25', '2099-01-01', 7),
        [info]: fc.oneof(
          fc.constant({ name: 'raw', version: '1' }),
          fc.record(
            { name: fc.oneof(fc.string(), fc.integer()), version: fc.string(), title: fc.jsonValue() },
            { requiredKeys: [] },
          ),
          fc.constant(null),
        ),
        [capabilities]: fc.oneof(
          fc.constant({}),
          fc.record(
            { elicitation: fc.jsonValue(), sampling: fc.jsonValue(), other: fc.jsonValue() },
            { requiredKeys: [] },
          ),
          fc.jsonValue(),
        ),
        'io.modelcontextprotocol/logLevel': fc.constantFrom('debug', 'loud'),
        progressToken: fc.oneof(fc.string(), fc.integer(), fc.constant(null)),
        traceparent: fc.string(),
        'dev.mcp-sessions/session': fc.oneof(fc.string(), fc.integer()),
      },
      { requiredKeys: [capabilities] },
    );
    const params = fc.record(
      {
        name: fc.constantFrom('see', 'see', 'checked', '=?base64?c2Vl?=', ' see', 'unknown', 7),
        arguments: fc.oneof(
          fc.dictionary(fc.string(), fc.jsonValue()),
          fc.jsonValue(),
          fc.constant({ count: 2 }),
        ),
        _meta: fc.oneof(meta, meta, fc.jsonValue()),
        requestState: fc.string(),
        inputResponses: fc.jsonValue(),
        task: fc.constant({ ttl: 1 }),
        more: fc.jsonValue(),
      },
      { requiredKeys: ['name', '_meta'] },
    );
    const message = fc.record(
      {
        jsonrpc: fc.constantFrom('2.0', '2.0', '2.0', '1.0'),
        id: fc.oneof(fc.integer(), fc.string(), fc.double(), fc.constantFrom(null, true, 'a'.repeat(257))),
        method: fc.constantFrom('tools/call', 'tools/call', 'tools/list', 'tools/callx', 7),
        params: fc.oneof(params, params, params, fc.jsonValue()),
        result: fc.constant({}),
        more: fc.jsonValue(),
      },
      { requiredKeys: ['jsonrpc', 'id', 'method', 'params'] },
    );
    const headers = fc.record(
      {
        'mcp-protocol-version': fc.constantFrom('2026-07-28', '2026-07-28', '2025-11-25', '2099-01-01'),
        'mcp-method': fc.constantFrom('tools/call', 'tools/call', ' tools/call', 'tools/list'),
        'mcp-name': fc.constantFrom('see', 'see', 'checked', '=?base64?c2Vl?=', 'other'),
        'content-type': fc.constantFrom('application/json', 'application/json; charset=utf-8', 'text/plain'),
        accept: fc.constantFrom(
          'application/json, text/event-stream',
          '*/*',
          'application/json',
          'text/html',
        ),
        'mcp-session-id': fc.constant('unknown'),
        authorization: fc.constant('Bearer secret'),
        'x-custom': fc.constant('value'),
      },
      { requiredKeys: ['content-type', 'accept'] },
    );
    await fc.assert(
      fc.asyncProperty(message, headers, async (sent, given) => {
        await expectSame({ method: 'POST', headers: given, body: JSON.stringify(sent) });
      }),
      { numRuns: 400 },
    );
  });

  it('and shows the tool the same call', async () => {
    const capabilities = { elicitation: { url: {} } };
    const seen = await expectSame(call('see', { a: [1, { b: null }] }, { id: 9, capabilities }));
    expect(seen.isDirect).toBe(true);
    expect(JSON.parse(messageOf(seen.answer).result?.content[0]?.text ?? '')).toMatchObject({
      args: { a: [1, { b: null }] },
      client: [capabilities, { name: 'raw', version: '1' }, '2026-07-28'],
      isAborted: false,
      method: 'POST',
    });
  });

  it('in a session with a login', async () => {
    const handles = new Map<Server, string>();
    for (const server of [direct, sdk]) {
      const ask = async (name: string, args: Record<string, unknown>) =>
        messageOf(await send(server.mcp, call(name, args))).result?.structuredContent ?? {};
      const { loginUrl, session } = await ask('login', {});
      const { code } = await logIn(server.sessions, loginUrl, { provider: server.provider, user: 'alice' });
      handles.set(server, String((await ask('login', { session, ...(code && { code }) })).session));
    }
    const called = await expectSame((server) => call('mine', { session: handles.get(server) }));
    expect(called.isDirect).toBe(true);
    expect(messageOf(called.answer).result?.content[0]?.text).toBe('alice');
    for (const server of [direct, sdk])
      await send(server.mcp, call('logout', { session: handles.get(server) }));
    const ended = await expectSame((server) => call('mine', { session: handles.get(server) }));
    expect(ended.isDirect).toBe(false);
    expect(ended.answer.text).toContain('logged out');
  });
});
