import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RUNTIME_METRICS } from '../../packages/server/src/metrics/runtime-metrics.js';
import { METRICS } from '../../packages/sessions/src/telemetry/metric-list.js';
import { Browser } from '../support/browser.js';
import { type Deployment, startDeployment } from '../support/deployment.js';
import { type MetricFamily, metricFamilies } from '../support/prometheus-text.js';
import { client2026, connect2025, logIn, send, startLogin } from '../support/raw-mcp.js';
import { FREE_PORTS, runServer } from '../support/server-process.js';

let deployment: Deployment;

beforeAll(async () => {
  deployment = await startDeployment({
    flags: ['--metrics-port', '0'],
    environment: { MCP_SESSIONS_PROVIDER_NAME: 'sample' },
  });
});

afterAll(() => deployment?.stop());

const metricsUrl = () => deployment.server.addresses.metrics ?? '';

async function scrape() {
  const { status, headers, text } = await send(metricsUrl());
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^text\/plain/);
  return { text, families: metricFamilies(text) };
}

/** The value of the series with these labels; of a histogram, its count. */
function seriesValue(families: readonly MetricFamily[], name: string, labels: Record<string, string> = {}) {
  const family = families.find((each) => each.name === name);
  const counted = family?.type === 'histogram' ? `${name}_count` : name;
  const fits = (family?.samples ?? []).filter(
    (sample) =>
      sample.name === counted &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return fits.reduce((sum, { value }) => sum + value, 0);
}

describe('/metrics of the server', () => {
  it('counts sessions, logins, calls and ends, and measures the event loop', async () => {
    const { mcp } = deployment;
    const [client, connection] = [client2026(mcp), await connect2025(mcp)];
    await Promise.all([logIn(client, new Browser(), 'alice'), logIn(connection, new Browser(), 'bob')]);
    await client.call('whoami');
    await connection.call('whoami');
    const { families } = await scrape();
    const authenticated = { mcp_sessions_provider: 'sample', mcp_sessions_outcome: 'authenticated' };
    expect(seriesValue(families, 'mcp_sessions_logins_total', authenticated)).toBe(2);
    expect(seriesValue(families, 'mcp_sessions_sessions', { mcp_sessions_era: '2025' })).toBe(1);
    expect(seriesValue(families, 'mcp_sessions_sessions', { mcp_sessions_session_kind: 'handle' })).toBe(1);
    expect(
      seriesValue(families, 'mcp_sessions_sessions_stored', { mcp_sessions_session_state: 'signed_in' }),
    ).toBe(2);
    expect(seriesValue(families, 'mcp_server_operation_duration', { gen_ai_tool_name: 'whoami' })).toBe(2);
    expect(seriesValue(families, 'nodejs_eventloop_delay_max')).toBeGreaterThanOrEqual(0);
    expect(seriesValue(families, 'process_memory_usage')).toBeGreaterThan(1e6);

    await client.call('logout');
    await connection.end();
    const after = (await scrape()).families;
    const ended = { mcp_sessions_session_kind: 'handle', mcp_sessions_reason: 'logout' };
    expect(seriesValue(after, 'mcp_server_session_duration', ended)).toBe(1);
    expect(seriesValue(after, 'mcp_sessions_sessions')).toBe(0);
  });

  it('has no metric that the documentation does not list, and no name, id, token or address', async () => {
    const { mcp, provider } = deployment;
    const client = client2026(mcp);
    const link = await startLogin(client);
    await logIn(client, new Browser(), 'alice');
    await client.call('whoami');
    const { text, families } = await scrape();
    const written = (name: string) => name.replaceAll('.', '_');
    const known = [...Object.keys(METRICS), ...Object.keys(RUNTIME_METRICS)].map(written);
    for (const { name } of families) expect(known).toContain(name.replace(/_total$/, ''));
    expect(provider.issued.entries.length).toBeGreaterThan(0);
    const secrets = [client.secret, link.slice(link.lastIndexOf('/') + 1)];
    const ids = deployment.server.audit.entries.flatMap(({ session, logId }) => [session, logId]);
    for (const hidden of [...secrets, ...ids, 'alice', 'bob', '127.0.0.1'])
      if (hidden !== undefined) expect(text).not.toContain(hidden);
    await client.call('logout');
  });

  it('is on its own port only, and answers nothing else', async () => {
    const { mcp } = deployment;
    expect((await send(new URL('/metrics', mcp))).status).toBe(404);
    expect((await send(new URL('/mcp', metricsUrl()))).status).toBe(404);
    expect((await send(metricsUrl(), { method: 'POST' })).status).toBe(404);
  });

  it('names its flag if the port is in use', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const { code, stderr } = await runServer({ flags: [...FREE_PORTS, '--metrics-port', port] });
    taken.close();
    expect(code).toBe(1);
    expect(stderr.join('\n')).toContain('--metrics-port');
  });
});
