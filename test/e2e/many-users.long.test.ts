import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Deployment, startDeployment } from '../support/deployment.js';
import { CLIENT_KINDS, connect, type McpClient } from '../support/mcp-clients.js';
import type { AuditEntry } from '../support/server-process.js';

const CLIENTS = 20;
const REFRESHES = 3;

interface User {
  readonly name: string;
  readonly client: McpClient;
}

let deployment: Deployment;
let users: User[];
/** The name of the provider. Default: its host. */
let provider: string;

beforeAll(async () => {
  deployment = await startDeployment({ accessTokenSeconds: 10 });
  provider = new URL(deployment.provider.issuer).host;
  users = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, index) => {
      const kind = CLIENT_KINDS[index % CLIENT_KINDS.length]!;
      return { name: `user-${index}`, client: await connect(kind, deployment.mcp) };
    }),
  );
});

afterAll(async () => {
  await Promise.all(users.map(({ client }) => client.close()));
  await deployment.stop();
});

const forEachUser = <Result>(act: (user: User) => Promise<Result>) => Promise.all(users.map(act));

async function textsOf({ client }: User): Promise<string[]> {
  const { structured } = await client.call('list_notes');
  return (structured.notes as { text: string }[]).map(({ text }) => text);
}

// Each step continues from the one before.
describe('twenty clients of both eras and both SDK generations', () => {
  it('can log in at the same time, each as its own user', async () => {
    const logins = await forEachUser(({ name, client }) => client.logIn(name));
    expect(logins.map(({ account }) => account)).toEqual(
      users.map(({ name }) => ({ provider, subject: name, name })),
    );
    expect(users.filter(({ client }) => client.era === '2026' && client.handle)).toHaveLength(CLIENTS / 2);
    expect(users.filter(({ client }) => client.era === '2025' && !client.handle)).toHaveLength(CLIENTS / 2);
  });

  it('[security 8] list only their own notes in interleaved calls', async () => {
    await forEachUser(async ({ name, client }) => {
      await Promise.all(
        [1, 2].map((number) => client.call('add_note', { text: `${name} writes ${number}` })),
      );
    });
    const lists = await forEachUser(textsOf);
    expect(lists.map((list) => list.sort())).toEqual(
      users.map(({ name }) => [`${name} writes 1`, `${name} writes 2`]),
    );
  });

  it('keep working while their tokens are refreshed three times', async () => {
    const names = users.map(({ name }) => name);
    let refreshes = 0;
    while (!areAllRefreshed(deployment.server.audit.entries)) {
      // After each refresh, all clients call a tool.
      refreshes = await deployment.server.audit.until('the next refresh', ({ length }) =>
        length > refreshes ? length : undefined,
      );
      const answers = await forEachUser(({ client }) => client.call('whoami'));
      expect(answers.map(({ structured, text }) => structured.subject ?? text)).toEqual(names);
    }
    const troubles = deployment.server.audit.entries.filter(({ event }) => TROUBLES.includes(event));
    expect(troubles).toEqual([]);
    const states = await forEachUser(({ client }) => client.call('session_status'));
    expect(states.map(({ structured }) => structured.state)).toEqual(users.map(() => 'authenticated'));
  });

  it('[security 34] leave no valid token when they log out', async () => {
    const { issued, activeTokens } = deployment.provider;
    expect(await usersOfActiveTokens()).toEqual(new Set(users.map(({ name }) => name)));
    const answers = await forEachUser(({ client }) => client.call('logout'));
    for (const { structured } of answers) {
      expect(structured).toEqual({
        status: 'logged_out',
        accounts: [{ provider, revocation: 'confirmed' }],
        next: 'The user is logged out here.',
      });
    }
    // The login and each refresh issue an access token and a refresh token.
    expect(issued.entries.length).toBeGreaterThanOrEqual(CLIENTS * 2 * (1 + REFRESHES));
    expect(await activeTokens()).toEqual([]);
    const refused = await forEachUser(({ client }) => client.call('whoami'));
    expect(refused.filter(({ isError, text }) => isError && text.includes('`login`'))).toHaveLength(CLIENTS);
  });
});

const TROUBLES = [
  'account.refresh_failed',
  'account.reauthentication_required',
  'login.failed',
  'session.signed_out',
];

/** Whether the tokens of every session have been refreshed often enough. */
function areAllRefreshed(audit: readonly AuditEntry[]): boolean {
  const refreshes = new Map<string, number>();
  for (const { event, session = '' } of audit) {
    if (event === 'account.refreshed') refreshes.set(session, (refreshes.get(session) ?? 0) + 1);
  }
  return [...refreshes.values()].filter((count) => count >= REFRESHES).length === CLIENTS;
}

/** The users of the valid tokens. */
async function usersOfActiveTokens(): Promise<Set<string | undefined>> {
  const { activeTokens, introspect } = deployment.provider;
  const answers = await Promise.all((await activeTokens()).map(introspect));
  return new Set(answers.map(({ sub }) => sub));
}
