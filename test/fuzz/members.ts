import { Browser } from '../support/browser.js';
import { client2026, connect2025, logIn, type RawClient } from '../support/raw-mcp.js';
import { MEMBERS_PER_ERA } from './blueprint.js';
import { canariesIn, canaryOf } from './canaries.js';

/** The sessions that stay logged in throughout, those of 2025 first. */
export class Members {
  readonly #clients: readonly RawClient[];

  private constructor(clients: readonly RawClient[]) {
    this.#clients = clients;
  }

  /** Connects and logs in, each as a user with a canary. */
  static async logIn(origin: string): Promise<Members> {
    const mcp = new URL('/mcp', origin).href;
    const clients: RawClient[] = [];
    while (clients.length < 2 * MEMBERS_PER_ERA) {
      const client = clients.length < MEMBERS_PER_ERA ? await connect2025(mcp) : client2026(mcp);
      clients.push(await logIn(client, new Browser(), canaryOf(clients.length)));
    }
    return new Members(clients);
  }

  /** Their ids and handles. */
  get secrets(): readonly string[] {
    return this.#clients.map(({ secret }) => secret);
  }

  /** Those who do not see their own notes, and nobody else's. */
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
