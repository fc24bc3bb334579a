import { Browser } from '../support/browser.js';
import { client2026, connect2025, logIn, type RawClient } from '../support/raw-mcp.js';
import { MEMBERS_PER_ERA } from './blueprint.js';
import { canariesIn, canaryOf } from './canaries.js';
import type { FuzzedServer } from './fuzzed-server.js';

/** The sessions that stay logged in during the run, those of 2025 first. */
export class Members {
  readonly #clients: readonly RawClient[];

  private constructor(clients: readonly RawClient[]) {
    this.#clients = clients;
  }

  /** Connects and logs in each member as a user with a canary. */
  static async logIn({ origin, tokens }: Pick<FuzzedServer, 'origin' | 'tokens'>): Promise<Members> {
    const mcp = new URL('/mcp', origin).href;
    const clients: RawClient[] = [];
    while (clients.length < 2 * MEMBERS_PER_ERA) {
      const token = tokens?.members[clients.length];
      const way = { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } };
      const client =
        clients.length < MEMBERS_PER_ERA ? await connect2025(mcp, way) : client2026(mcp, undefined, way);
      clients.push(await logIn(client, new Browser(), canaryOf(clients.length)));
    }
    return new Members(clients);
  }

  /** Their ids and handles, or a value that is never sent. */
  get secrets(): readonly string[] {
    return this.#clients.map(({ secret }, member) => secret || `no handle of member ${member}`);
  }

  /** The members that do not see exactly their own notes. */
  async unwell(): Promise<number[]> {
    const unwell: number[] = [];
    for (const [member, client] of this.#clients.entries()) {
      const { isError, text } = await client.call('list_notes');
      const seen = [...canariesIn(text)];
      if (isError || seen.length !== 1 || seen[0] !== member) unwell.push(member);
    }
    return unwell;
  }
}
