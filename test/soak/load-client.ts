import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { call2025, JSON_HEADERS, messageOf, type RawAnswer } from '../support/raw-mcp.js';

/** The number of concurrent logins. */
const WORKERS = 16;

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'load', version: '1' } },
});
const INITIALIZED = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
const pendingSchema = z.object({ loginUrl: z.string() });

/** Connects 2025 clients and logs them in, over few TCP connections and without delays. */
export class LoadClient {
  readonly #mcp: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: WORKERS });

  constructor(mcp: string) {
    this.#mcp = mcp;
  }

  /** Adds this number of sessions with a login. @returns their ids */
  async add(sessions: number): Promise<string[]> {
    const ids: string[] = [];
    let left = sessions;
    const work = async () => {
      while (left-- > 0) {
        const id = await this.#connect();
        await this.#logIn(id);
        ids.push(id);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, work));
    return ids;
  }

  /** Calls a tool in a session. @throws Error if the call fails, or its result is an error */
  async call(id: string, tool: string): Promise<void> {
    const called = await this.#post(
      this.#mcp,
      { ...JSON_HEADERS, 'mcp-session-id': id },
      call2025(tool),
      200,
    );
    const { result } = messageOf(called);
    if (!result || result.isError === true) throw new Error(`${tool}: ${called.text.slice(0, 300)}`);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #connect(): Promise<string> {
    const { headers } = await this.#post(this.#mcp, JSON_HEADERS, INITIALIZE, 200);
    const id = headers['mcp-session-id'];
    if (typeof id !== 'string') throw new Error('The server gave no session id.');
    await this.#post(this.#mcp, { ...JSON_HEADERS, 'mcp-session-id': id }, INITIALIZED, 202);
    return id;
  }

  /** The requests of client and browser during a login. */
  async #logIn(id: string): Promise<void> {
    const headers = { ...JSON_HEADERS, 'mcp-session-id': id };
    const called = await this.#post(this.#mcp, headers, call2025('login'), 200);
    const { loginUrl } = pendingSchema.parse(messageOf(called).result?.structuredContent);

    const page = await this.#send(loginUrl, { method: 'GET', headers: {} }, 200);
    const form = new URLSearchParams({ form: formTokenOf(page.text), action: 'continue' }).toString();
    const ownPage = {
      origin: new URL(loginUrl).origin,
      'content-type': 'application/x-www-form-urlencoded',
      cookie: cookieOf(page.headers),
    };
    const consented = await this.#post(loginUrl, ownPage, form, 303);

    const authorization = new URL(consented.headers.location ?? '').searchParams;
    const callback = new URL(authorization.get('redirect_uri') ?? '');
    callback.searchParams.set('code', 'any');
    callback.searchParams.set('state', authorization.get('state') ?? '');
    const cookie = cookieOf(consented.headers);
    const done = await this.#send(callback.href, { method: 'GET', headers: { cookie } }, 303);
    if (done.headers.location !== '/login/done')
      throw new Error(`The login ended at ${done.headers.location}.`);
  }

  #post(url: string, headers: Record<string, string>, body: string, status: number): Promise<RawAnswer> {
    return this.#send(url, { method: 'POST', headers, body }, status);
  }

  async #send(url: string, { method, headers, body }: Sent, expectedStatus: number): Promise<RawAnswer> {
    const answer = await new Promise<RawAnswer>((resolve, reject) => {
      const request = httpRequest(url, { method, headers, agent: this.#agent });
      request.once('error', reject);
      request.once('response', (response) => {
        const { statusCode: status = 0, headers } = response;
        text(response).then((text) => resolve({ status, headers, text }), reject);
      });
      request.end(body);
    });
    if (answer.status === expectedStatus) return answer;
    throw new Error(`${method} ${new URL(url).pathname}: ${answer.status} ${answer.text.slice(0, 200)}`);
  }
}

interface Sent {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

function cookieOf(headers: IncomingHttpHeaders): string {
  return (headers['set-cookie'] ?? []).map((cookie) => cookie.split(';', 1)[0]).join('; ');
}

function formTokenOf(html: string): string {
  const token = /name="form"[^>]*value="([^"]+)"/.exec(html)?.[1];
  if (token === undefined) throw new Error('The connect page has no form.');
  return token;
}
