import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

/** A client with a maximum number of connections. */
export class HttpClient {
  readonly #mcp: string;
  readonly #origin: Readonly<Record<string, string>>;
  readonly #agent: Agent;

  /** @param address the made-up address of the client, as a proxy names it; `undefined`: its own */
  constructor(mcp: string, address: string | undefined, connections: number) {
    this.#mcp = mcp;
    this.#origin = address === undefined ? {} : { 'x-forwarded-for': address };
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  post(body: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.send('POST', body, headers);
  }

  /** Sends a request. @param body empty: none */
  send(method: string, body: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const own = { 'content-length': String(Buffer.byteLength(body)), ...this.#origin };
      const options = { method, headers: { ...HEADERS, ...own, ...headers }, agent: this.#agent };
      const sent = request(this.#mcp, options, (response) => {
        const { statusCode: status = 0, headers: answered } = response;
        text(response).then((body) => resolve({ status, headers: answered, text: body }), reject);
      });
      sent.on('error', (error: NodeJS.ErrnoException) => {
        // The server has closed an idle connection just when it was used again.
        const isIdleEnd = sent.reusedSocket && error.code === 'ECONNRESET';
        if (isIdleEnd) resolve(this.send(method, body, headers));
        else reject(error);
      });
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** A request of the 2026-07-28 revision: its body, and the headers that go with it. */
export function request2026(
  method: string,
  params: Readonly<Record<string, unknown>>,
  meta: object = {},
): readonly [body: string, headers: Record<string, string>] {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
    ...meta,
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } });
  const name = typeof params.name === 'string' ? { 'mcp-name': params.name } : {};
  return [body, { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...name }];
}

/** The request that a 2025 connection begins with. */
export const INITIALIZE: string = JSON.stringify({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1' } },
});

/** Opens a 2025 connection. @returns the headers that name it */
export async function connect2025(client: HttpClient): Promise<Record<string, string>> {
  const { status, headers, text } = await client.post(INITIALIZE);
  const id = headers['mcp-session-id'];
  if (typeof id !== 'string') throw new Error(`No connection: ${status} ${text}`);
  return { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' };
}
