import { z } from 'zod';
import { parseOptions } from '../parse-options.js';
import type { Sessions } from '../server/sessions.js';
import { onAbort } from '../time/on-abort.js';
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

const optionsSchema = z.strictObject({
  client: z.looseObject({}),
  Transport: z.custom((value) => typeof value === 'function', 'must be a class'),
  url: z.url().optional(),
} satisfies Record<keyof ConnectClientOptions<never>, z.ZodType>);

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
  options: ConnectClientOptions<T>,
): Promise<T> {
  parseOptions(optionsSchema, options, 'The options of `connectClient` are invalid');
  const { client, Transport, url = 'http://127.0.0.1:3000/mcp' } = options;
  const transport = new Transport(new URL(url), {
    fetch: async (input, init) => {
      const { signal, release } = signalOfRequest(init?.signal);
      const handling = sessions.handleRequest(new Request(input, { ...init, signal }));
      const response = await unlessAborted(signal, handling).catch((error: unknown) => {
        release();
        throw error;
      });
      if (!response.body) {
        release();
        return response;
      }
      const { readable, writable } = new TransformStream();
      // An aborted fetch ends the body, too. The client sees the failure of a body in its other half.
      response.body.pipeTo(writable, { signal }).then(release, release);
      return new Response(readable, response);
    },
  });
  await client.connect(transport);
  return transport;
}

/**
 * A signal that follows the client's until it is released. The client has one signal for all of its requests, and a
 * `Request` leaves a listener on its signal until it is garbage-collected.
 */
function signalOfRequest(source: AbortSignal | null | undefined): {
  readonly signal: AbortSignal;
  readonly release: () => void;
} {
  const controller = new AbortController();
  const release = source ? onAbort(source, () => controller.abort(source.reason)) : () => undefined;
  return { signal: controller.signal, release };
}
