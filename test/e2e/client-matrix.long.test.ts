import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Browser } from '../support/browser.js';
import { type Deployment, type DeploymentOptions, startDeployment } from '../support/deployment.js';
import { CLIENT_KINDS, connect } from '../support/mcp-clients.js';
import { connectBridged } from './client-matrix/bridge.js';
import { fetchInspector, startInspector } from './client-matrix/inspector.js';
import { describeJourneys, type Row } from './client-matrix/journey.js';

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
    // The bridge speaks 2026 for a 2025 client. The handle is visible to the model only.
    client: 'SDK 1.x through mcp-remote --protocol auto',
    hasHandle: true,
    start: (mcp) => connectBridged('SDK 1.x', mcp, ['--protocol', 'auto']),
  },
  {
    client: 'the Inspector CLI in 2026',
    hasHandle: true,
    async start(mcp) {
      await fetchInspector();
      return startInspector(mcp, 'modern');
    },
  },
];

describeJourneys(ROWS);

describe('mcp-remote', () => {
  it('does not become an OAuth client of a server with open access', async () => {
    const client = await connectBridged('SDK 1.x', (await deploy()).mcp);
    onTestFinished(() => client.close());
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'anonymous' });
    expect(await client.oauthFiles()).toEqual([]);
  });

  it('sends no DELETE when its client ends, so that its user is signed out after the grace [security 34, 36]', async () => {
    const { mcp, provider, server } = await deploy({ flags: ['--grace-seconds', '2'] });
    const client = await connectBridged('SDK 1.x', mcp);
    const { structured } = await client.call('login');
    await new Browser().logIn(String(structured.loginUrl), 'alice');
    expect((await client.call('login')).structured).toMatchObject({ status: 'authenticated' });
    expect(await provider.activeTokens()).not.toEqual([]);
    await client.close();
    await server.audit.first('the disconnect', ({ reason }) => reason === 'disconnect');
    await server.audit.first('the revocation', ({ revocation }) => revocation === 'confirmed');
    expect(await provider.activeTokens()).toEqual([]);
  });
});

// In 2025 a connection is a session, and each command opens a new connection. A login that one command
// starts is lost for the next one.
describe('the Inspector CLI in 2025', () => {
  beforeAll(fetchInspector);

  it('lists the tools and reports that no user is logged in', async () => {
    const inspector = await startInspector((await deploy()).mcp, 'legacy');
    onTestFinished(() => inspector.close());
    expect(await inspector.listTools()).toEqual(expect.arrayContaining(['login', 'logout', 'list_notes']));
    const { structured } = await inspector.call('session_status');
    expect(structured).toMatchObject({ state: 'anonymous', accounts: [] });
  });

  it('loses a login with the command that started it, and the user is signed out after the grace [security 34, 36]', async () => {
    const { mcp, provider, server } = await deploy({ flags: ['--grace-seconds', '2'] });
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

async function deploy(options: DeploymentOptions = {}): Promise<Deployment> {
  const deployment = await startDeployment(options);
  onTestFinished(() => deployment.stop());
  return deployment;
}
