import { SpanKind } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RegisterTools } from '../../packages/sessions/src/index.js';
import { METRICS, type MetricName } from '../../packages/sessions/src/telemetry/metric-list.js';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import {
  client2026,
  connect2025,
  JSON_HEADERS,
  logIn,
  messageOf,
  request2026,
  send,
} from '../support/raw-mcp.js';
import { type RecordingApi, startRecordingApi } from '../support/recording-api.js';
import { sharedNodes } from '../support/shared-sessions.js';
import { registerTelemetrySdk, type TelemetrySdk } from '../support/telemetry-sdk.js';

let sdk: TelemetrySdk;
let notes: InProcessNotes;
let api: RecordingApi;

beforeAll(async () => {
  sdk = registerTelemetrySdk();
  api = await startRecordingApi();
  notes = await startInProcessNotes({ tools: registerTools, apiOrigins: [api.origin] });
});

afterAll(async () => {
  await notes.close();
  await api.close();
  sdk.unregister();
});

const registerTools: RegisterTools = (server, context) => {
  server.registerTool('fetch_it', { description: 'Calls the API.' }, async () => {
    const { status } = await context.session().fetch(new URL('/it', api.origin));
    return { content: [{ type: 'text', text: String(status) }] };
  });
  server.registerTool('fails', { description: 'Throws.' }, () => {
    throw new Error('canary-of-an-error');
  });
  server.registerTool('refuses', { description: 'Returns an error.' }, () => ({
    content: [{ type: 'text', text: 'No.' }],
    isError: true,
  }));
};

/** Whether the sessions are in this process. */
const isAlone = sharedNodes() === undefined;
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CLIENT_SPAN = '00f067aa0ba902b7';
const HTTP_TRACE = '0af7651916cd43dd8448eb211c80319c';
const HTTP_SPAN = 'b7ad6b7169203331';

/** A 2026 client that sends its trace context with each message, and another one with each HTTP request. */
function tracingClient() {
  let session: string | undefined;
  return {
    get session() {
      return session ?? '';
    },
    async call(tool: string) {
      const meta = {
        traceparent: `00-${TRACE}-${CLIENT_SPAN}-01`,
        tracestate: 'vendor=1',
        baggage: 'user=canary-of-baggage',
      };
      const request = request2026(
        'tools/call',
        { name: tool, arguments: session === undefined ? {} : { session } },
        { meta },
      );
      const headers = {
        ...request.headers,
        traceparent: `00-${HTTP_TRACE}-${HTTP_SPAN}-01`,
        baggage: 'user=canary-of-baggage',
      };
      const { result } = messageOf(await send(notes.mcp, { ...request, headers }));
      const { session: given } = result?.structuredContent ?? {};
      if (typeof given === 'string') session = given;
      return result;
    },
  };
}

const spansOf = (trace: string) => sdk.spans().filter((span) => span.spanContext().traceId === trace);
const named = (name: string) => (span: ReadableSpan) => span.name === name;
const parentOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId;
const pointsOf = async (metric: MetricName) =>
  (await sdk.points()).filter((point) => point.metric === metric);

describe('with an SDK of OpenTelemetry', () => {
  it('a login, a call and a refresh are one trace with the context of the client', async () => {
    const client = tracingClient();
    const { structuredContent: started } = (await client.call('login')) ?? {};
    await new Browser().logIn(String(started?.loginUrl), 'alice');
    expect((await client.call('login'))?.structuredContent).toMatchObject({ status: 'authenticated' });
    const before = api.requests.length;
    api.answer = () => ({ status: api.requests.length === before + 1 ? 401 : 200 });
    expect((await client.call('fetch_it'))?.content).toMatchObject([{ text: '200' }]);

    const spans = spansOf(TRACE);
    const request = spans.find(named('tools/call fetch_it'));
    expect(request).toMatchObject({
      kind: SpanKind.SERVER,
      parentSpanContext: { spanId: CLIENT_SPAN, isRemote: true },
      links: [{ context: { traceId: HTTP_TRACE, spanId: HTTP_SPAN } }],
      attributes: {
        'mcp.method.name': 'tools/call',
        'mcp.protocol.version': '2026-07-28',
        'gen_ai.tool.name': 'fetch_it',
        'gen_ai.operation.name': 'execute_tool',
        'mcp.session.id': expect.stringMatching(/^[0-9a-f]{12}$/),
      },
    });
    const tool = spans.find(named('execute_tool fetch_it'));
    expect(parentOf(tool)).toBe(request?.spanContext().spanId);
    const refresh = spans.find(named('mcp_sessions.refresh'));
    expect(parentOf(refresh)).toBe(tool?.spanContext().spanId);
    expect(refresh?.attributes).toEqual({
      'mcp_sessions.provider': 'sample',
      'mcp_sessions.outcome': 'granted',
    });
    const login = spans.find(named('mcp_sessions.login'));
    const starts = spans.filter(named('tools/call login')).map((span) => span.spanContext().spanId);
    expect(starts).toContain(parentOf(login));
    expect(login?.attributes).toEqual({
      'mcp_sessions.provider': 'sample',
      'mcp_sessions.login.flow': 'link',
      'mcp_sessions.outcome': 'authenticated',
    });

    // The API gets the trace, and never the baggage.
    const sent = api.requests.slice(before);
    expect(sent).toHaveLength(2);
    for (const { headers } of sent) {
      expect(headers.traceparent).toBe(`00-${TRACE}-${tool?.spanContext().spanId}-01`);
      expect(headers.baggage).toBeUndefined();
    }
    await client.call('logout');
    expect(sdk.spans().some(named('mcp_sessions.revocation'))).toBe(true);
    expect(spans.some(named('mcp_sessions.engine'))).toBe(!isAlone);
  });

  it('an origin that an API redirects to does not get the trace', async () => {
    const other = await startRecordingApi();
    const client = await logIn(client2026(notes.mcp), new Browser(), 'alice');
    const before = api.requests.length;
    api.answer = () => ({ status: 302, headers: { location: `${other.origin}/elsewhere` } });
    expect(await client.call('fetch_it')).toMatchObject({ isError: false });
    expect(api.requests[before]?.headers.traceparent).toBeDefined();
    expect(other.requests.map(({ headers }) => headers.traceparent)).toEqual([undefined]);
    api.answer = () => ({ status: 200 });
    await client.call('logout');
    await other.close();
  });

  it('without trace context in the message, the context of the HTTP request is the parent', async () => {
    const request = request2026('tools/list', {});
    await send(notes.mcp, {
      ...request,
      headers: { ...request.headers, traceparent: `00-${HTTP_TRACE}-${HTTP_SPAN}-01` },
    });
    const [span] = spansOf(HTTP_TRACE);
    expect(span).toMatchObject({ name: 'tools/list', links: [], parentSpanContext: { spanId: HTTP_SPAN } });
  });

  it('a context that is not valid begins another trace', async () => {
    const before = sdk.spans().length;
    const traceparent = `00-${TRACE}-${CLIENT_SPAN}-01${'0'.repeat(200)}`;
    await send(notes.mcp, request2026('tools/list', {}, { meta: { traceparent } }));
    await send(notes.mcp, request2026('tools/list', {}, { meta: { traceparent: 7 } }));
    const spans = sdk.spans().slice(before);
    expect(spans).toHaveLength(2);
    for (const span of spans) expect(span.parentSpanContext).toBeUndefined();
  });

  it('calls are measured once in either era, also on the plain lane, and errors have a type', async () => {
    const client = await logIn(client2026(notes.mcp), new Browser(), 'alice');
    const connection = await logIn(await connect2025(notes.mcp), new Browser(), 'bob');
    for (const each of [client, client, connection]) {
      expect(await each.call('whoami')).toMatchObject({ isError: false });
      for (const tool of ['fails', 'refuses']) expect(await each.call(tool)).toMatchObject({ isError: true });
    }
    const durations = await pointsOf('mcp.server.operation.duration');
    const call = {
      'mcp.method.name': 'tools/call',
      'gen_ai.operation.name': 'execute_tool',
    };
    const of2026 = { ...call, 'mcp.protocol.version': '2026-07-28' };
    const errorType = { 'error.type': 'tool_error' };
    for (const [attributes, value] of [
      [{ ...of2026, 'gen_ai.tool.name': 'whoami' }, 2],
      [{ ...call, 'gen_ai.tool.name': 'whoami' }, 1],
      [{ ...of2026, 'gen_ai.tool.name': 'fails', ...errorType }, 2],
      [{ ...call, 'gen_ai.tool.name': 'fails', ...errorType }, 1],
      [{ ...of2026, 'gen_ai.tool.name': 'refuses', ...errorType }, 2],
      [{ ...call, 'gen_ai.tool.name': 'refuses', ...errorType }, 1],
    ] as const)
      expect(durations).toContainEqual({ metric: 'mcp.server.operation.duration', attributes, value });
    const failed = sdk.spans().filter(named('execute_tool fails'));
    expect(failed).toHaveLength(3);
    for (const { attributes } of failed) expect(attributes).toMatchObject(errorType);
    await client.call('logout');
    await connection.end();
  });

  it('sessions, logins and ends are counted', async () => {
    const value = async (metric: MetricName, attributes: object) => {
      const points = await pointsOf(metric);
      const found = points.filter((point) =>
        Object.entries(attributes).every(([name, expected]) => point.attributes[name] === expected),
      );
      return found.reduce((sum, point) => sum + point.value, 0);
    };
    const authenticated = { 'mcp_sessions.provider': 'sample', 'mcp_sessions.outcome': 'authenticated' };
    const before = await value('mcp_sessions.logins', authenticated);
    const client = await logIn(client2026(notes.mcp), new Browser(), 'alice');
    expect(await value('mcp_sessions.logins', authenticated)).toBe(before + 1);
    const handles = { 'mcp_sessions.session.kind': 'handle', 'mcp_sessions.era': '2026' };
    expect(await value('mcp_sessions.sessions', handles)).toBe(1);
    const stored = await value('mcp_sessions.sessions.stored', { 'mcp_sessions.session.state': 'signed_in' });
    expect(stored).toBe(isAlone ? 1 : 0);
    expect(await value('mcp_sessions.engine.ready', {})).toBe(isAlone ? 0 : 1);
    const ended = { ...handles, 'mcp_sessions.reason': 'logout' };
    const ends = await value('mcp.server.session.duration', ended);
    await client.call('logout');
    expect(await value('mcp.server.session.duration', ended)).toBe(ends + 1);
    expect(await value('mcp_sessions.sessions', handles)).toBe(0);
    expect(await value('mcp_sessions.requests.in_flight', {})).toBe(0);
  });

  it('a client makes up no time series: unknown methods, revisions and tools count as one', async () => {
    const post = (message: object, headers = {}) =>
      send(notes.mcp, {
        method: 'POST',
        headers: { ...JSON_HEADERS, ...headers },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
      });
    for (let index = 0; index < 3; index++) {
      await post({ method: `made/up-${index}` }, { 'mcp-protocol-version': `canary-${index}` });
      await send(notes.mcp, request2026('tools/call', { name: `canary-${index}`, arguments: {} }));
    }
    const durations = await pointsOf('mcp.server.operation.duration');
    expect(durations.filter(({ attributes }) => attributes['mcp.method.name'] === '_OTHER')).toMatchObject([
      { value: 3 },
    ]);
    expect(JSON.stringify(durations)).not.toContain('canary');
  });

  it('every attribute of a metric is listed, and every metric that has points', async () => {
    const points = await sdk.points();
    expect(points.length).toBeGreaterThan(0);
    for (const { metric, attributes } of points) {
      expect(Object.keys(METRICS)).toContain(metric);
      const { attributes: listed } = METRICS[metric as MetricName];
      expect(listed).toEqual(expect.arrayContaining(Object.keys(attributes)));
    }
  });

  it('spans and metrics contain no token, id, subject, name or address [security 48]', async () => {
    const client = tracingClient();
    const { structuredContent: started } = (await client.call('login')) ?? {};
    await new Browser().logIn(String(started?.loginUrl), 'alice');
    await client.call('login');
    await client.call('fetch_it');
    const connection = await logIn(await connect2025(notes.mcp), new Browser(), 'bob');
    const spans = sdk.spans().map(({ name, attributes, events, links, status, resource }) => ({
      name,
      attributes,
      events,
      links,
      status,
      resource: resource.attributes,
    }));
    const all = JSON.stringify([spans, await sdk.points()]);
    // What is searched for is found where it is.
    expect(all).toContain('tools/call fetch_it');
    const ids = notes.events.flatMap((event) => ('session' in event ? [event.session] : []));
    const secrets = [client.session, connection.secret, String(started?.loginUrl), ...ids];
    expect(notes.provider.issuedTokens.length).toBeGreaterThan(0);
    for (const secret of [...secrets, ...notes.provider.issuedTokens.map(String)])
      expect(all).not.toContain(secret);
    for (const personal of ['alice', 'bob', '127.0.0.1', '::1', 'canary'])
      expect(all).not.toContain(personal);
    await client.call('logout');
    await connection.end();
  });
});
