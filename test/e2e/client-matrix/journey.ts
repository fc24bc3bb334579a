import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser } from '../../support/browser.js';
import { type Deployment, startDeployment } from '../../support/deployment.js';
import { eventually } from '../../support/journal.js';
import type { MatrixClient } from './matrix-client.js';

/** Short enough for a test to wait for the expiry. */
const ACCESS_TOKEN_SECONDS = 2;

export interface Row {
  readonly client: string;
  /** Whether the model gets a handle, as in 2026. In 2025 the connection identifies the session. */
  readonly hasHandle: boolean;
  start(mcp: string): Promise<MatrixClient>;
}

/** Tests that each client logs in, is refreshed, logs out and logs in again. */
export function describeJourneys(rows: readonly Row[]): void {
  let deployment: Deployment;

  beforeAll(async () => {
    deployment = await startDeployment({ accessTokenSeconds: ACCESS_TOKEN_SECONDS });
  });

  afterAll(() => deployment.stop());

  async function logIn(client: MatrixClient, user: string): Promise<Readonly<Record<string, unknown>>> {
    const { structured } = await client.call('login');
    const lastPage = await new Browser().logIn(String(structured.loginUrl), user);
    expect(lastPage.status).toBe(200);
    return (await client.call('login')).structured;
  }

  async function notesOf(client: MatrixClient): Promise<unknown> {
    const { structured, text } = await client.call('list_notes');
    return Array.isArray(structured.notes) ? structured.notes.map(({ text }) => text) : text;
  }

  async function activeTokensOf(user: string): Promise<string[]> {
    const { activeTokens, introspect } = deployment.provider;
    const tokens = await activeTokens();
    const subjects = await Promise.all(tokens.map(async (token) => (await introspect(token)).sub));
    return tokens.filter((_token, index) => subjects[index] === user);
  }

  /** While a refresh is in flight, there may be no valid token. */
  function livingTokensOf(user: string): Promise<string[]> {
    return eventually(`living tokens of ${user}`, async () => {
      const tokens = await activeTokensOf(user);
      return tokens.length > 0 ? tokens : undefined;
    });
  }

  async function areDead(tokens: readonly string[]): Promise<boolean> {
    const answers = await Promise.all(tokens.map(deployment.provider.introspect));
    return answers.every(({ active }) => !active);
  }

  // Each step continues from the one before, and a client starts when the previous one has logged out.
  describe.each(rows.map((row) => [row.client, row] as const))('%s', (user, { hasHandle, start }) => {
    const note = `${user} was here`;
    let client: MatrixClient;
    /** The log id of the session that the client is logged in to. */
    let session: string;

    async function logInAudited() {
      const { audit } = deployment.server;
      const earlier = audit.entries.length;
      const structured = await logIn(client, user);
      // In 2026 an account is taken in under a pending handle, and moves to the one that stays.
      const event = hasHandle ? 'account.moved' : 'account.authenticated';
      session = await audit.until(`${event} of ${user}`, (entries) => {
        return entries.slice(earlier).find((entry) => entry.event === event)?.logId;
      });
      return structured;
    }

    beforeAll(async () => {
      client = await start(deployment.mcp);
    });

    afterAll(async () => {
      await client.call('logout').finally(() => client.close());
    });

    it('logs in and lists only the notes of its user [security 8]', async () => {
      const { status, account } = await logInAudited();
      expect({ status, account }).toMatchObject({ status: 'authenticated', account: { subject: user } });
      expect(client.handle !== undefined).toBe(hasHandle);
      expect(await client.call('add_note', { text: note })).toMatchObject({ isError: false });
      expect(await notesOf(client)).toEqual([note]);
    });

    it('continues with refreshed tokens when the tokens of its login have expired', async () => {
      const tokens = await livingTokensOf(user);
      await eventually('the tokens of the login to die', async () => (await areDead(tokens)) || undefined);
      expect(await notesOf(client)).toEqual([note]);
      await deployment.server.audit.first(`a refresh for ${user}`, (entry) => {
        return entry.event === 'account.refreshed' && entry.logId === session;
      });
    });

    it('leaves no valid token when it logs out [security 34]', async () => {
      const tokens = await livingTokensOf(user);
      const { structured } = await client.call('logout');
      expect(structured).toMatchObject({ status: 'logged_out', accounts: [{ revocation: 'confirmed' }] });
      expect(await areDead(tokens)).toBe(true);
      // A refresh that was on its way is revoked when it comes back.
      await eventually(
        'the last token to die',
        async () => !(await activeTokensOf(user)).length || undefined,
      );
      expect(await client.call('list_notes')).toMatchObject({
        isError: true,
        text: expect.stringMatching(/call .*`login`/i),
      });
    });

    it('can log in again and finds its notes', async () => {
      const ended = { handle: client.handle, session };
      client.handle = undefined;
      expect(await logInAudited()).toMatchObject({ status: 'authenticated' });
      expect(await notesOf(client)).toEqual([note]);
      // In 2026 a session ends with its logout; in 2025 it lasts as long as the connection.
      expect(session === ended.session).toBe(!hasHandle);
      expect(client.handle === ended.handle).toBe(!hasHandle);
    });
  });
}
