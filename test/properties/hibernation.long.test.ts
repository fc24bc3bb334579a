import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RegisterTools, Sessions } from '../../packages/sessions/src/index.js';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { createBareServer } from '../support/bare-server.js';
import { JSON_HEADERS } from '../support/raw-mcp.js';

const MCP = 'http://127.0.0.1:3000/mcp';
/** More than the time after which a connection hibernates. */
const LONG_MS = 31_000;
const NOTE = 'note://1';

/** What a client does, or what happens to it. */
type Step =
  | { readonly kind: 'ask'; readonly method: string; readonly params: object }
  | { readonly kind: 'tell'; readonly method: string; readonly params: object }
  | { readonly kind: 'open' | 'resume' | 'leave' | 'push' | 'batch' | 'garbage' }
  | { readonly kind: 'wait'; readonly ms: number };

const ask = (method: string, params: object = {}) => fc.constant<Step>({ kind: 'ask', method, params });
const call = (name: string, args: object = {}) => ask('tools/call', { name, arguments: args });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: fc.constant<Step>({ kind: 'wait', ms: LONG_MS }) },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'wait', ms: 5 * LONG_MS }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'wait', ms: 1_000 }) },
  call('echo', { text: 'a' }),
  call('echo', {}),
  call('unknown'),
  { weight: 5, arbitrary: call('log') },
  call('progress'),
  call('session_status'),
  call('change'),
  ask('tools/list'),
  ask('resources/list'),
  ask('resources/read', { uri: NOTE }),
  ask('resources/subscribe', { uri: NOTE }),
  ask('resources/unsubscribe', { uri: NOTE }),
  { weight: 5, arbitrary: ask('logging/setLevel', { level: 'error' }) },
  ask('logging/setLevel', { level: 'debug' }),
  ask('logging/setLevel', { level: 'loud' }),
  ask('ping'),
  ask('unknown/method'),
  ask('initialize', {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'b', version: '2' },
  }),
  fc.constant<Step>({ kind: 'tell', method: 'notifications/initialized', params: {} }),
  fc.constant<Step>({ kind: 'tell', method: 'notifications/cancelled', params: { requestId: 99 } }),
  { weight: 6, arbitrary: fc.constant<Step>({ kind: 'push' }) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'open' }) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'resume' }) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'leave' }) },
  fc.constant<Step>({ kind: 'batch' }),
  fc.constant<Step>({ kind: 'garbage' }),
);

/** A server, one client of it, and all that the client has received. */
class Scene {
  readonly #clock = new VirtualClock();
  readonly #sessions: Sessions;
  readonly #received: string[] = [];
  #announce: () => void = () => undefined;
  #headers: Record<string, string> = JSON_HEADERS;
  #stream: { cancel(): Promise<void> } | undefined;
  #lastEventId = '';
  readonly #eventIds = new Set<string>();
  #id = 0;
  /** The number of server objects of connections. */
  made = 0;

  constructor(hibernate: boolean) {
    const tools: RegisterTools = (server, context) => {
      this.made++;
      // As an author who keeps the newest server object.
      this.#announce = () => void server.server.sendResourceListChanged();
      server.server.registerCapabilities({ logging: {} });
      server.registerTool('echo', {}, () => ({ content: [{ type: 'text', text: 'echo' }] }));
      server.registerTool('log', {}, async ({ mcpReq }) => {
        await mcpReq.log('info', 'a detail');
        await mcpReq.log('error', 'a failure');
        return { content: [] };
      });
      server.registerTool('progress', {}, async ({ mcpReq }) => {
        await mcpReq.notify({
          method: 'notifications/progress',
          params: { progressToken: 'p', progress: 1 },
        });
        return { content: [{ type: 'text', text: String(server.server.getClientVersion()?.name) }] };
      });
      server.registerTool('change', {}, async () => {
        await context.session().resourceUpdated(NOTE);
        return { content: [] };
      });
      server.registerResource('note', NOTE, {}, () => ({ contents: [{ uri: NOTE, text: 'a note' }] }));
    };
    this.#sessions = createBareServer(tools, { hibernate, runtime: { clock: this.#clock } });
    this.made = 0;
  }

  async play(steps: readonly Step[]): Promise<readonly string[]> {
    const clientInfo = { name: 'a', version: '1' };
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
    const started = await this.#post({ id: 0, method: 'initialize', params });
    this.#headers = {
      ...JSON_HEADERS,
      'mcp-session-id': started.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    };
    for (const each of steps) {
      await this.#do(each);
      await this.#clock.advance(0);
    }
    const closing = this.#sessions.close();
    await this.#clock.advance(1_000);
    await closing;
    return this.#received;
  }

  async #do(each: Step): Promise<void> {
    switch (each.kind) {
      case 'ask':
        await this.#post({ id: ++this.#id, method: each.method, params: each.params });
        return;
      case 'tell':
        await this.#post({ method: each.method, params: each.params });
        return;
      case 'batch':
        await this.#post([
          { id: ++this.#id, method: 'ping' },
          { id: ++this.#id, method: 'tools/list' },
        ]);
        return;
      case 'garbage':
        await this.#post({ id: ++this.#id });
        return;
      case 'wait':
        await this.#clock.advance(each.ms);
        return;
      case 'open':
      case 'resume':
        await this.#open(each.kind === 'resume' ? { 'last-event-id': this.#lastEventId } : {});
        return;
      case 'leave':
        await this.#stream?.cancel();
        this.#stream = undefined;
        return;
      case 'push':
        this.#announce();
    }
  }

  async #post(message: object | readonly object[]): Promise<Response> {
    const body = JSON.stringify(
      Array.isArray(message)
        ? message.map((each) => ({ jsonrpc: '2.0', ...each }))
        : { jsonrpc: '2.0', ...message },
    );
    const headers = this.#headers;
    const response = await this.#sessions.handleRequest(new Request(MCP, { method: 'POST', headers, body }));
    this.#note('answer', response.status, await response.text());
    return response;
  }

  /** Opens the standalone stream, and reads it while it is open. */
  async #open(more: Record<string, string>): Promise<void> {
    if (this.#stream) return;
    const headers = { ...this.#headers, ...more };
    const response = await this.#sessions.handleRequest(new Request(MCP, { headers }));
    this.#note('stream', response.status, '');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (response.status !== 200 || !reader) return;
    this.#stream = reader;
    void (async () => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        this.#lastEventId = /^id: (.+)$/m.exec(next.value)?.[1] ?? this.#lastEventId;
        this.#note('event', 0, next.value);
      }
    })().catch(() => undefined);
  }

  /** Without what is random. */
  #note(what: string, status: number, text: string): void {
    const known = text
      // A connection that hibernates gives no ids to events that no stream can bring.
      .replaceAll(/^id: (.+)$/gm, (_, id) => `id ${[...this.#eventIds.add(id)].indexOf(id)}`)
      .replaceAll(/[\da-f]{8}-[\da-f-]{27}/g, 'stream')
      // The time that is left of a lifetime.
      .replaceAll(/"?\w*InSeconds\\?"?:\s*\d+/g, 'time');
    this.#received.push(`${what} ${status} ${known}`);
  }
}

it('a connection that hibernates answers and sends what it would otherwise', async () => {
  let woken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const [hibernating, eternal] = [new Scene(true), new Scene(false)];
      expect(await hibernating.play(steps)).toEqual(await eternal.play(steps));
      expect(eternal.made).toBe(1);
      woken += hibernating.made - 1;
    }),
    { numRuns: 100 },
  );
  expect(woken).toBeGreaterThan(20);
});
