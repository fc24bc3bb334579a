import type { Sessions } from '../server/sessions.js';
import { unlessAborted } from './provider-faults.js';

/** The part of the MCP SDK's HTTP transport that {@link connectClient} uses. */
export type HttpTransportClass<T> = new (
  url: URL,
  options: { readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response> },
) => T;

export interface ConnectClientOptions<T> {
  /** A client of the MCP SDK, of either protocol era. */
  readonly client: { connect(transport: T): Promise<unknown> };
  /** `StreamableHTTPClientTransport` of the same SDK. */
  readonly Transport: HttpTransportClass<T>;
  /** The URL of the MCP endpoint. Default: `http://127.0.0.1:3000/mcp`. */
  readonly url?: string;
}

/**
 * Connects a client of the MCP SDK to a server, without a network.
 *
 * ```ts
 * import { Client, StreamableHTTPClientTransport as Transport } from '@modelcontextprotocol/client';
 *
 * const client = new Client({ name: 'test', version: '1.0.0' });
 * await connectClient(sessions, { client, Transport });
 * ```
 * @returns the transport
 */
export async function connectClient<T>(
  sessions: Pick<Sessions, 'handleRequest'>,
  { client, Transport, url = 'http://127.0.0.1:3000/mcp' }: ConnectClientOptions<T>,
): Promise<T> {
  const transport = new Transport(new URL(url), {
    fetch: async (input, init) => {
      const handling = sessions.handleRequest(new Request(input, init));
      const response = await unlessAborted(init?.signal, handling);
      if (!response.body || !init?.signal) return response;
      // An aborted fetch ends the body, too.
      const body = response.body.pipeThrough(new TransformStream(), { signal: init.signal });
      return new Response(body, response);
    },
  });
  await client.connect(transport);
  return transport;
}
