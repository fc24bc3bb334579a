import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import type { Blueprint } from './blueprint.js';

/** What came back for a request. */
export interface Answer {
  /** `0` where there is none. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** How it ended: in full, given up by the client as it meant to, broken off by the server, or never. */
  readonly end: 'complete' | 'cut' | 'broken' | 'hung';
  readonly error?: string;
}

/** Nothing takes longer that does not wait for a user, even where the machine has other things to do. */
const DEADLINE_MS = 120_000;

/** Sends requests over connections that are kept. */
export class Client {
  readonly #port: number;
  readonly #agent: Agent;

  constructor(origin: string, connections: number) {
    this.#port = Number(new URL(origin).port);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Never rejects. @param abandoned aborts when no caller waits for the response */
  async send(blueprint: Blueprint, abandoned?: AbortSignal): Promise<Answer> {
    // A client that sends "close" sends no more requests on the connection (RFC 9112 section 9.6).
    const isLast = blueprint.headers.some(([name]) => name === 'connection');
    const { answer, isStale } = await this.#try(blueprint, isLast ? false : this.#agent, abandoned);
    // The server may close a connection that is kept at the moment a request is sent on it (RFC 9112 section 9.3.1).
    return isStale ? (await this.#try(blueprint, false, abandoned)).answer : answer;
  }

  close(): void {
    this.#agent.destroy();
  }

  #try(
    blueprint: Blueprint,
    agent: Agent | false,
    abandoned: AbortSignal | undefined,
  ): Promise<{ answer: Answer; isStale: boolean }> {
    const { method, path, headers, body, dropMs, cutMs } = blueprint;
    return new Promise((resolve) => {
      let status = 0;
      let received: IncomingHttpHeaders = {};
      let text = '';
      let request: ClientRequest | undefined;
      let isKept = false;
      const timers: NodeJS.Timeout[] = [];
      const cut = () => finish('cut');
      const finish = (end: Answer['end'], error?: NodeJS.ErrnoException) => {
        for (const timer of timers) clearTimeout(timer);
        abandoned?.removeEventListener('abort', cut);
        const isStale = status === 0 && error !== undefined && isKept;
        if (end !== 'complete') request?.destroy();
        const reason = error && { error: `${error.code}: ${error.message}` };
        resolve({ answer: { status, headers: received, text, end, ...reason }, isStale });
      };
      // Who gives up by themselves may wait for a user for as long as they want.
      if (!abandoned) timers.push(setTimeout(() => finish('hung'), DEADLINE_MS));
      if (dropMs !== undefined) timers.push(setTimeout(cut, dropMs));
      abandoned?.addEventListener('abort', cut);
      const take = (response: IncomingMessage) => {
        status = response.statusCode ?? 0;
        received = response.headers;
        if (cutMs !== undefined) timers.push(setTimeout(cut, cutMs));
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('end', () => finish('complete'));
        response.once('error', (error) => finish('broken', error));
      };
      request = httpRequest({
        host: '127.0.0.1',
        port: this.#port,
        method,
        path: path.replaceAll(/[^\x21-\xff]/g, encodeURIComponent),
        headers: wireHeaders(headers, body),
        setHost: false,
        agent,
      });
      // A request that had to wait for a connection is not told that it was there before (`reusedSocket`), and one
      // that was opened for a request given up meanwhile has carried nothing yet.
      request.once('socket', (socket) => {
        isKept = !socket.connecting;
      });
      request.once('response', take);
      request.on('error', (error) => finish('broken', error));
      request.end(body);
    });
  }
}

/** In this form names may come several times. */
function wireHeaders(headers: Blueprint['headers'], body: string | undefined): string[] {
  const length = body === undefined ? [] : ['content-length', String(Buffer.byteLength(body))];
  return [...headers.flat(), ...length];
}
