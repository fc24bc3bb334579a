import fc from 'fast-check';
import { handleIn } from './answer-reading.js';
import type { Blueprint, Header } from './blueprint.js';
import { type Answer, Client } from './client.js';
import { tool } from './json-rpc-messages.js';
import { JSON_HEADERS, message, post } from './request-2025.js';
import { request } from './request-2026.js';
import { wideIn2025, wideIn2026 } from './wide-requests.js';

const REQUESTS = 100;
/** The maximum of open streams of one client. */
const CONNECTIONS = 16;

const INITIALIZE = {
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'greedy', version: '1' } },
};

export interface GreedyClientsOptions {
  readonly origin: string;
  readonly seed: number;
  /** The access tokens of users without other requests; `undefined` in open access. */
  readonly tokens: readonly string[] | undefined;
}

/** Clients of both eras that make a server keep as much data as possible, and stay connected. */
export class GreedyClients {
  readonly #options: GreedyClientsOptions;
  readonly #client: Client;
  /** The open streams, and how to close them. */
  readonly #streams: { readonly ended: Promise<Answer>; readonly leave: () => void }[] = [];
  #greedyClients = 0;
  /** Counts responses by status. */
  readonly statuses: Map<number, number> = new Map();

  constructor(options: GreedyClientsOptions) {
    this.#options = options;
    this.#client = new Client(options.origin, 100 * CONNECTIONS);
  }

  /** Adds clients that request everything that the server keeps. Each has a 2025 connection and a 2026 session. */
  async addClients(clients: number): Promise<void> {
    for (let each = 0; each < clients; each++) await this.#one(this.#greedyClients++);
  }

  /** Closes every stream. */
  async leave(): Promise<void> {
    for (const { leave } of this.#streams) leave();
    await Promise.all(this.#streams.map(({ ended }) => ended));
    this.#client.close();
  }

  async #one(number: number): Promise<void> {
    const { seed, tokens } = this.#options;
    const token = tokens?.[number % tokens.length];
    const own: Header[] = token === undefined ? [] : [['authorization', `Bearer ${token}`]];
    const send = (blueprint: Blueprint) => this.#send(blueprint, own);

    const { headers } = await send(post('greedy', JSON_HEADERS, message(INITIALIZE, 1)));
    const connection = String(headers['mcp-session-id']);
    const { text } = await send(request('greedy', tool('login'), 1));
    const handle = handleIn(text) ?? 'none';
    this.#hold(
      {
        kind: 'greedy',
        method: 'GET',
        path: '/mcp',
        headers: [...JSON_HEADERS, ['mcp-session-id', connection]],
      },
      own,
    );
    const options = { seed: seed + number, numRuns: REQUESTS };
    const requests = [
      ...fc.sample(wideIn2025(fc.constant(connection)), options),
      ...fc.sample(wideIn2026(fc.constant(handle)), options),
    ];
    for (const blueprint of requests) {
      if (blueprint.body?.includes('"subscriptions/listen"')) this.#hold(blueprint, own);
      else await send(blueprint);
    }
    // Requests on open streams arrive before this one.
    await send(
      post(
        'greedy',
        [...JSON_HEADERS, ['mcp-session-id', connection]],
        message({ method: 'ping', params: {} }, 2),
      ),
    );
  }

  async #send(blueprint: Blueprint, own: readonly Header[]): Promise<Answer> {
    const answer = await this.#client.send(addressed(blueprint, own, this.#options.origin));
    this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
    return answer;
  }

  #hold({ cutMs: _, ...blueprint }: Blueprint, own: readonly Header[]): void {
    const sent = addressed(blueprint, own, this.#options.origin);
    const leaving = new AbortController();
    const ended = this.#client.send(sent, leaving.signal);
    this.#streams.push({ ended, leave: () => leaving.abort() });
  }
}

function addressed(blueprint: Blueprint, own: readonly Header[], origin: string): Blueprint {
  const headers = blueprint.headers.filter(([name]) => name !== 'host');
  return { ...blueprint, headers: [['host', new URL(origin).host], ...headers, ...own] };
}
