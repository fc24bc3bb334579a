import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSessions, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider } from '../../packages/sessions/src/testing/index.js';
import { Journal } from '../support/journal.js';
import { JSON_HEADERS } from '../support/raw-mcp.js';

const MCP = 'http://127.0.0.1:3000/mcp';

/** A GET of a client, and the status of its response. */
interface Opened {
  readonly lastEventId: string | null;
  readonly status: number;
}

let sessions: Sessions;
let opened: Journal<Opened>;

beforeEach(() => {
  const provider = new FaultingProvider();
  opened = new Journal();
  sessions = createSessions({
    server: { name: 'test', version: '1.0.0', capabilities: { logging: {} } },
    providers: provider.options,
    publicUrl: 'http://127.0.0.1:3000',
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch },
    tools: (server) => {
      // What logs has a stream.
      server.registerTool('work', { description: 'Logs and answers.' }, async ({ mcpReq }) => {
        await mcpReq.log('info', 'working');
        return { content: [{ type: 'text', text: 'done' }] };
      });
      server.registerPrompt('fail', {}, async ({ mcpReq }) => {
        await mcpReq.log('info', 'failing');
        throw new Error('It failed.');
      });
    },
  });
});

afterEach(() => sessions.close());

/** A server that records every GET. */
const reach = async (url: string | URL, init?: RequestInit): Promise<Response> => {
  const request = new Request(url, init);
  const response = await sessions.handleRequest(request);
  if (request.method === 'GET') {
    opened.add({ lastEventId: request.headers.get('last-event-id'), status: response.status });
  }
  return response;
};

/** A client that resumes every stream with an event id, even a finished one. */
class EagerClient {
  readonly errors: string[] = [];
  readonly #revision: string;
  #headers: Record<string, string> = {};
  #resuming: Promise<void> = Promise.resolve();

  constructor(revision: string) {
    this.#revision = revision;
  }

  async connect(): Promise<void> {
    const clientInfo = { name: 'eager', version: '1' };
    const params = { protocolVersion: this.#revision, capabilities: {}, clientInfo };
    const response = await this.#post({ id: 0, method: 'initialize', params });
    this.#headers = {
      'mcp-session-id': response.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': this.#revision,
    };
    await this.#read(response, false);
    await this.#post({ method: 'notifications/initialized' });
    await this.#open(undefined);
  }

  async call(): Promise<void> {
    const response = await this.#post({
      id: 1,
      method: 'tools/call',
      params: { name: 'work', arguments: {} },
    });
    await this.#read(response, false);
  }

  /** Resolves when the client has nothing left to resume. */
  async rested(): Promise<void> {
    await this.#resuming;
  }

  #post(message: object): Promise<Response> {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    return reach(MCP, { method: 'POST', headers: { ...JSON_HEADERS, ...this.#headers }, body });
  }

  /** SDK 1.23, `StreamableHTTPClientTransport._startOrAuthSse`. */
  async #open(resumptionToken: string | undefined): Promise<void> {
    const headers = { ...this.#headers, accept: 'text/event-stream' };
    const resumption = resumptionToken === undefined ? {} : { 'last-event-id': resumptionToken };
    const response = await reach(MCP, { headers: { ...headers, ...resumption } });
    if (response.status === 405) return;
    if (!response.ok) this.errors.push(`Failed to open SSE stream: ${response.status}`);
    // The standalone stream stays open during the test.
    else if (resumptionToken === undefined) void this.#read(response, true);
    else await this.#read(response, true);
  }

  /** SDK 1.23, `StreamableHTTPClientTransport._handleSseStream`. */
  async #read(response: Response, isReconnectable: boolean): Promise<void> {
    if (!response.body) return;
    const text = await response.text();
    const [, lastEventId] = [...text.matchAll(/^id: (.+)$/gm)].at(-1) ?? [];
    if (isReconnectable || lastEventId !== undefined) this.#resuming = this.#open(lastEventId);
  }
}

describe('a client that resumes every stream with an event id, like SDK 1.23', () => {
  it.each(['2025-03-26', '2025-06-18'])(
    'finds no event id in revision %s, and gets no error',
    async (revision) => {
      const client = new EagerClient(revision);
      await client.connect();
      for (let calls = 0; calls < 26; calls++) await client.call();
      await client.rested();
      expect(opened.entries).toEqual([{ lastEventId: null, status: 200 }]);
      expect(client.errors).toEqual([]);
    },
  );

  it('gets one 204 for each finished stream in revision 2025-11-25, and no error', async () => {
    const client = new EagerClient('2025-11-25');
    await client.connect();
    for (let calls = 0; calls < 3; calls++) {
      await client.call();
      await client.rested();
    }
    const resumed = opened.entries.filter(({ lastEventId }) => lastEventId !== null);
    expect(resumed.map(({ status }) => status)).toEqual([204, 204, 204]);
    expect(opened.entries).toHaveLength(resumed.length + 1);
    expect(client.errors).toEqual([]);
  });
});

describe('SDK 1.32, which resumes a stream that brought an error', () => {
  it('gets 204, and no error besides that of its call', async () => {
    const errors: string[] = [];
    const client = new Sdk1Client({ name: 'test', version: '1.0.0' });
    const transport = new Sdk1Transport(new URL(MCP), { fetch: reach });
    transport.onerror = (error) => errors.push(error.message);
    // The SDK's own types differ under exactOptionalPropertyTypes.
    await client.connect(transport as Parameters<typeof client.connect>[0]);
    client.onerror = (error) => errors.push(error.message);
    // The second resumption happens at a time when a client without 204 would retry.
    for (const count of [1, 2]) {
      await expect(client.getPrompt({ name: 'fail' })).rejects.toThrow();
      await opened.until(`${count} resumptions`, (entries) => {
        return entries.filter(({ lastEventId }) => lastEventId !== null).length >= count || undefined;
      });
    }
    await client.close();
    expect(opened.entries.map(({ status }) => status).sort()).toEqual([200, 204, 204]);
    expect(errors).toEqual([]);
  });
});
