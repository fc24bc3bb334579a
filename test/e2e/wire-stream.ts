import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Journal } from '../support/journal.js';
import { JSON_HEADERS, type RawRequest, type RawWay, request2026 } from '../support/raw-mcp.js';

/** An event of a stream. The data of a priming event is empty. */
export interface WireEvent {
  readonly id: string | undefined;
  readonly data: string;
}

/** A response that is read while it arrives. */
export interface WireStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly events: Journal<WireEvent>;
  /** Resolves when the stream has ended on either side. */
  readonly over: Promise<void>;
  /** The whole text, when the stream has ended. */
  readonly text: Promise<string>;
  /** Reads the unread rest. @returns its number of bytes */
  readRest(): Promise<number>;
  /** Drops the connection. */
  drop(): void;
}

export interface WireRequest extends RawRequest {
  /** Whether the response is read. Default: yes. */
  readonly isRead?: boolean;
}

/** Sends a request on a new connection, and resolves when the response starts. */
export function openWire(
  url: string,
  { method = 'GET', headers = {}, body = '', isRead = true }: WireRequest,
): Promise<WireStream> {
  return new Promise((resolve, reject) => {
    const length = body ? { 'content-length': String(Buffer.byteLength(body)) } : {};
    const request = httpRequest(url, { method, headers: { ...length, ...headers }, agent: false });
    request.once('error', reject);
    request.once('response', (response) => {
      const events = new Journal<WireEvent>();
      // For the tests, a broken stream has ended.
      response.on('error', () => undefined);
      request.on('error', () => undefined);
      let text = '';
      let rest = '';
      const read = (chunk: string) => {
        text += chunk;
        const blocks = (rest + chunk).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) addEvent(events, block);
      };
      if (isRead) response.setEncoding('utf8').on('data', read);
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        events,
        over: new Promise((resolve) => response.once('close', resolve)),
        text: new Promise((resolve) => response.once('close', () => resolve(text))),
        readRest: () => {
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
          });
          return new Promise((resolve) => response.once('close', () => resolve(bytes)));
        },
        drop: () => void request.destroy(),
      });
    });
    request.end(body);
  });
}

function addEvent(events: Journal<WireEvent>, block: string): void {
  const data = /^data: ?(.*)$/m.exec(block)?.[1];
  if (data !== undefined) events.add({ id: /^id: ?(.+)$/m.exec(block)?.[1], data });
}

/** Waits for the first event of a stream whose data contains a text. */
export function eventContaining(stream: WireStream, what: string): Promise<WireEvent> {
  return stream.events.first(what, ({ data }) => data.includes(what));
}

/** The id of the priming event of a resumable stream (2025-11-25). */
export async function primingId(stream: WireStream): Promise<string> {
  const { id } = await stream.events.first('a priming event', ({ id }) => id !== undefined);
  return id ?? '';
}

/** The JSON-RPC id of every call in this file. A RawClient does not use it. */
export const CALL_ID = 1_000_000;

/** Requests of a 2025 session, each on a new TCP connection. */
export class Wire2025 {
  readonly #headers: Readonly<Record<string, string>>;

  /**
   * @param sessionId of a connection that is initialized
   * @param way how its client gets in
   */
  constructor(sessionId: string, { headers = {} }: Pick<RawWay, 'headers'> = {}) {
    const session = { 'mcp-session-id': sessionId, 'mcp-protocol-version': '2025-11-25' };
    this.#headers = { ...JSON_HEADERS, ...headers, ...session };
  }

  /** Opens the standalone stream, or resumes a stream after the event `lastEventId`. */
  listen(url: string, { lastEventId, isRead = true }: { lastEventId?: string; isRead?: boolean } = {}) {
    const resumption = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    return openWire(url, { headers: { ...this.#headers, ...resumption }, isRead });
  }

  /** Calls a tool. @returns the stream of the response, when it starts */
  call(url: string, name: string, args: object = {}, { isRead = true } = {}): Promise<WireStream> {
    const _meta = { progressToken: 'progress' };
    const params = { name, arguments: args, _meta };
    return this.post(url, { id: CALL_ID, method: 'tools/call', params }, isRead);
  }

  /** Posts a message. */
  post(url: string, message: object, isRead = true): Promise<WireStream> {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    return openWire(url, { method: 'POST', headers: this.#headers, body, isRead });
  }
}

/** Calls a tool in 2026. @returns the response, when it starts */
export function call2026(
  url: string,
  name: string,
  args: Record<string, unknown>,
  isRead = true,
): Promise<WireStream> {
  const meta = { progressToken: 'progress' };
  return openWire(url, { ...request2026('tools/call', { name, arguments: args }, { meta }), isRead });
}
