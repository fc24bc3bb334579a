import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Browser } from '../support/browser.js';
import { type Deployment, startDeployment } from '../support/deployment.js';
import { eventually } from '../support/journal.js';
import { CLIENT_KINDS, connect } from '../support/mcp-clients.js';
import { connectBridged } from './client-matrix/bridge.js';
import { fetchInspector, startInspector } from './client-matrix/inspector.js';
import type { MatrixClient } from './client-matrix/matrix-client.js';

/** Short enough to wait until it is over. */
const ACCESS_TOKEN_SECONDS = 2;
/** What npm may take to fetch the Inspector, and a Node that it runs on. */
const FETCH_TIMEOUT_MS = 5 * 60_000;

interface Row {
  readonly client: string;
  /** Whether the model is given a handle, as in 2026, or the connection stands for the session, as in 2025. */
  readonly hasHandle: boolean;
  start(mcp: string): Promise<MatrixClient>;
}

const KINDS = CLIENT_KINDS.map((kind) => ({
  kind,
  hasHandle: kind === 'SDK 2.x auto' || kind === 'SDK 2.x pinned to 2026',
}));

const ROWS: Row[] = [
  ...KINDS.map(({ kind, hasHandle }) => ({
    client: kind,
    hasHandle,
    start: (mcp: string) => connect(kind, mcp),
  })),
  ...KINDS.map(({ kind, hasHandle }) => ({
    client: `${kind} through mcp-remote`,
    hasHandle,
    start: (mcp: string) => connectBridged(kind, mcp),
  })),
  {
    // The bridge speaks 2026 for a client that speaks 2025: only the model sees the handle.
    client: 'SDK 1.x through mcp-remote --protocol auto',
    hasHandle: true,
    start: (mcp) => connectBridged('SDK 1.x', mcp, ['--protocol', 'auto']),
  },
  {
    client: 'the command line of the Inspector in 2026',
    hasHandle: true,
    async start(mcp) {
      await fetchInspector();
      return startInspector(mcp, 'modern');
    },
  },
];

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

async function areDead(tokens: readonly string[]): Promise<boolean> {
  const answers = await Promise.all(tokens.map(deployment.provider.introspect));
  return answers.every(({ active }) => !active);
}

// Each step goes on from the one before, and no client starts before the last one has logged out.
describe.each(ROWS.map((row) => [row.client, row] as const))('%s', (user, { hasHandle, start }) => {
  const note = `${user} was here`;
  let client: MatrixClient;
  /** What the audit log calls the session that the client is logged in to. */
  let session: string;

  async function logInAudited() {
    const { audit } = deployment.server;
    const heard = audit.entries.length;
    const structured = await logIn(client, user);
    // In 2026 an account is taken in under a pending handle, and moves to the one that stays.
    const event = hasHandle ? 'account.moved' : 'account.authenticated';
    session = await audit.until(`${event} of ${user}`, (entries) => {
      return entries.slice(heard).find((entry) => entry.event === event)?.session;
    });
    return structured;
  }

  beforeAll(async () => {
    client = await start(deployment.mcp);
  }, FETCH_TIMEOUT_MS);

  afterAll(async () => {
    await client.call('logout').finally(() => client.close());
  });

  it('logs in, and lists the notes of its user and of nobody else [security 8]', async () => {
    const { status, account } = await logInAudited();
    expect({ status, account }).toMatchObject({ status: 'authenticated', account: { subject: user } });
    expect(client.handle !== undefined).toBe(hasHandle);
    expect(await client.call('add_note', { text: note })).toMatchObject({ isError: false });
    expect(await notesOf(client)).toEqual([note]);
  });

  it('goes on with the tokens of a refresh when those of its login are dead', async () => {
    const tokens = await activeTokensOf(user);
    expect(tokens).not.toEqual([]);
    await eventually('the tokens of the login to die', async () => (await areDead(tokens)) || undefined);
    expect(await notesOf(client)).toEqual([note]);
    await deployment.server.audit.first(`a refresh for ${user}`, (entry) => {
      return entry.event === 'account.refreshed' && entry.session === session;
    });
  });

  it('leaves no living token behind when it logs out [security 34]', async () => {
    const tokens = await activeTokensOf(user);
    expect(tokens).not.toEqual([]);
    const { structured } = await client.call('logout');
    expect(structured).toMatchObject({ status: 'logged_out', accounts: [{ revocation: 'confirmed' }] });
    expect(await areDead(tokens)).toBe(true);
    // A refresh that was on its way is revoked when it comes back.
    await eventually('the last token to die', async () => !(await activeTokensOf(user)).length || undefined);
    expect(await client.call('list_notes')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/call .*`login`/i),
    });
  });

  it('can log in again, in 2025 on the same connection, and finds its notes', async () => {
    const ended = { handle: client.handle, session };
    client.handle = undefined;
    expect(await logInAudited()).toMatchObject({ status: 'authenticated' });
    expect(await notesOf(client)).toEqual([note]);
    // In 2026 a session ends with its logout; in 2025 it lasts as long as the connection.
    expect(session === ended.session).toBe(!hasHandle);
    expect(client.handle === ended.handle).toBe(!hasHandle);
  });
});

describe('mcp-remote', () => {
  it('does not become an OAuth client of a server with open access', async () => {
    const client = await connectBridged('SDK 1.x', deployment.mcp);
    onTestFinished(() => client.close());
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'anonymous' });
    expect(await client.oauthFiles()).toEqual([]);
  });

  it('says no goodbye when its client goes: its user is signed out by the grace [security 34, 36]', async () => {
    const { mcp, provider, server } = await deployWithGrace();
    const client = await connectBridged('SDK 1.x', mcp);
    await logIn(client, 'alice');
    expect(await provider.activeTokens()).not.toEqual([]);
    await client.close();
    await server.audit.first('the disconnect', ({ reason }) => reason === 'disconnect');
    await server.audit.first('the revocation', ({ revocation }) => revocation === 'confirmed');
    expect(await provider.activeTokens()).toEqual([]);
  });
});

// In 2025 the connection stands for the session, and each command has a connection of its own: a login
// that one command starts cannot be of use to the next.
describe('the command line of the Inspector in 2025', () => {
  beforeAll(fetchInspector, FETCH_TIMEOUT_MS);

  it('lists the tools, and is told that nobody is logged in', async () => {
    const inspector = await startInspector(deployment.mcp, 'legacy');
    onTestFinished(() => inspector.close());
    expect(await inspector.listTools()).toEqual(expect.arrayContaining(['login', 'logout', 'list_notes']));
    const { structured } = await inspector.call('session_status');
    expect(structured).toMatchObject({ state: 'anonymous', accounts: [] });
  });

  it('loses a login with the command that started it, and the grace signs it out [security 34, 36]', async () => {
    const { mcp, provider, server } = await deployWithGrace();
    const inspector = await startInspector(mcp, 'legacy');
    onTestFinished(() => inspector.close());
    const { structured } = await inspector.call('login');
    await new Browser().logIn(String(structured.loginUrl), 'alice');
    expect(await provider.activeTokens()).not.toEqual([]);
    expect(await inspector.call('list_notes')).toMatchObject({ isError: true });
    await server.audit.first('the disconnect', ({ reason }) => reason === 'disconnect');
    await server.audit.first('the revocation', ({ revocation }) => revocation === 'confirmed');
    expect(await provider.activeTokens()).toEqual([]);
  });
});

async function deployWithGrace(): Promise<Deployment> {
  const deployment = await startDeployment({ flags: ['--grace-seconds', '2'] });
  onTestFinished(() => deployment.stop());
  return deployment;
}
