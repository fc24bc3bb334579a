/** A server with the built library, which reports the delays of its event loop. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createSessions, type Sessions } from 'mcp-sessions';
import { z } from 'zod';
import { answerParent } from '../../test/support/answer-parent.js';
import type { WaveOnServer } from './measurement.js';

const startSchema = z.object({ provider: z.string(), sessions: z.number() });

const NS_PER_MS = 1e6;

let sessions: Sessions | undefined;
let expected = 0;
/** When the accounts are due for refresh, in the order of their last refresh. */
const dueAtMs: number[] = [];
let onRefreshed: () => void = () => undefined;
let onAsked: () => void = () => undefined;

answerParent({
  async start(argument) {
    const { provider, sessions: count } = startSchema.parse(argument);
    expected = count;
    sessions = createSessions({
      server: { name: 'bench', version: '0.0.0' },
      // Without `openid`, the user info identifies the user.
      providers: { issuer: provider, clientId: 'bench', scopes: ['profile'], apiOrigins: [provider] },
      tools: (server, context) => {
        server.registerTool('call_api', { description: 'Calls the API.' }, async () => {
          const response = await context.session().fetch(`${provider}/api`);
          return { content: [{ type: 'text', text: `${response.status}` }], isError: !response.ok };
        });
      },
      limits: { maxSessions: count },
      allowDebugging: process.execArgv.includes('--cpu-prof'),
      runtime: {
        fetch: (...request) => {
          if (request[1]?.method === 'POST') onAsked();
          return fetch(...request);
        },
      },
    });
    sessions.onEvent((event) => {
      if (event.type !== 'account.refreshed') return;
      dueAtMs.push(event.refreshAtMs ?? Number.NaN);
      onRefreshed();
    });
    const { url } = await sessions.listen({ port: 0 });
    return url;
  },
  /** Waits until every account has been refreshed that many times. */
  refreshed: (times) => untilRefreshed(z.number().parse(times)),
  /** Measures from the next refresh until every account has been refreshed once more. */
  async wave(): Promise<WaveOnServer> {
    if (dueAtMs.length % expected > 0) throw new Error('The wave came too early for this machine.');
    const lastDueAtMs = dueAtMs.slice(-expected);
    const dueWithinMs = Math.max(...lastDueAtMs) - Math.min(...lastDueAtMs);
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    const done = untilRefreshed(dueAtMs.length / expected + 1);
    // The first tick counts in full, because its delay is recorded at its end.
    histogram.enable();
    const startedAtMs = await firstRefresh();
    histogram.reset();
    await done;
    histogram.disable();
    return {
      dueWithinMs,
      tookMs: performance.now() - startedAtMs,
      p50Ms: histogram.percentile(50) / NS_PER_MS,
      p99Ms: histogram.percentile(99) / NS_PER_MS,
      maxMs: histogram.max / NS_PER_MS,
    };
  },
});

function untilRefreshed(times: number): Promise<void> {
  return new Promise((resolve) => {
    onRefreshed = () => {
      if (dueAtMs.length >= times * expected) resolve();
    };
    onRefreshed();
  });
}

/** After all logins, every POST request to the provider is a refresh. */
function firstRefresh(): Promise<number> {
  return new Promise((resolve) => {
    onAsked = () => resolve(performance.now());
  });
}
