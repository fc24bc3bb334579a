import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createSessions, type SessionEvent, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { call2025, JSON_HEADERS, messageOf, type RpcMessage } from '../support/raw-mcp.js';
import { SeededRandom } from '../support/seeded-random.js';

export const SECOND = 1000;
const TOKEN_SECONDS = 600;
const API = 'https://api.test';
const ENDPOINT = 'http://127.0.0.1:3000/mcp';

/** A request to the provider's token or revocation endpoint. */
interface Asked {
  readonly atMs: number;
  readonly path: string;
  readonly form: URLSearchParams;
}

export interface Client {
  call(tool: string, args?: Record<string, unknown>): Promise<NonNullable<RpcMessage['result']>>;
  textOf(tool: string): Promise<string>;
}

/** A server and its provider in this process. The test advances the clock. */
export function start({ refresh, delaySeconds = 0 }: { refresh?: typeof fetch; delaySeconds?: number } = {}) {
  const clock = new VirtualClock();
  const asked: Asked[] = [];
  const issuedAtMs = new Map<string, number>();
  const elsewhere: string[] = [];
  /** The expired tokens that the API has received. */
  const expiredUses: string[] = [];
  let inFlight = 0;
  const load = { mostInFlight: 0 };

  const provider = new FaultingProvider({
    api: ({ headers }, user) => {
      const token = headers.get('authorization')?.replace('Bearer ', '') ?? '';
      if (clock.now() > (issuedAtMs.get(token) ?? 0) + TOKEN_SECONDS * SECOND) expiredUses.push(token);
      return new Response(user ?? '', { status: user ? 200 : 401 });
    },
    fetch: async (input) => {
      elsewhere.push(String(input));
      return new Response(null, { status: 404 });
    },
  });
  const observed: typeof fetch = async (input, init) => {
    const url = new URL(String(input));
    if (!(init?.body instanceof URLSearchParams)) return provider.fetch(input, init);
    const isRefresh = init.body.get('grant_type') === 'refresh_token';
    asked.push({ atMs: clock.now(), path: url.pathname, form: init.body });
    load.mostInFlight = Math.max(load.mostInFlight, ++inFlight);
    try {
      if (isRefresh && delaySeconds > 0)
        await new Promise<void>((resolve) => clock.after(delaySeconds * SECOND, resolve));
      const response = await (isRefresh && refresh ? refresh(input, init) : provider.fetch(input, init));
      if (url.pathname === '/token' && response.ok) void noteTokens(response.clone());
      return response;
    } finally {
      inFlight--;
    }
  };
  const noteTokens = async (response: Response) => {
    const { data } = z.object({ access_token: z.string() }).safeParse(await response.json().catch(() => {}));
    if (data) issuedAtMs.set(data.access_token, clock.now());
  };

  const sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    publicUrl: 'http://127.0.0.1:3000',
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: observed, clock, random: new SeededRandom(20).bytes },
    tools: (server, current) => {
      server.registerTool('who', { description: 'Says who is logged in' }, async () => {
        const response = await current.session().fetch(`${API}/me`);
        return { content: [{ type: 'text', text: `${response.status} ${await response.text()}` }] };
      });
    },
  });
  onTestFinished(() => sessions.close());
  const events: SessionEvent[] = [];
  sessions.onEvent((event) => events.push(event));
  const failureReasons = () =>
    events.flatMap((event) =>
      event.type === 'account.reauthentication_required' ? [event.failureReason] : [],
    );
  const refreshes = () => asked.filter(({ form }) => form.get('grant_type') === 'refresh_token');
  /** Advances the clock until that many refreshes have been requested. */
  const untilAsked = async (times: number) => {
    const endMs = clock.now() + TOKEN_SECONDS * SECOND;
    while (refreshes().length < times && clock.now() < endMs) await clock.advance(100);
    expect(refreshes()).toHaveLength(times);
  };
  /** Advances the clock by a second, unless a request is in flight. */
  const passing =
    <Seen>(look: () => Seen) =>
    async () => {
      if (inFlight === 0) await clock.advance(SECOND);
      return look();
    };
  const revoked = () =>
    asked.filter(({ path }) => path === '/revocation').map(({ form }) => form.get('token'));
  return {
    clock,
    provider,
    sessions,
    events,
    failureReasons,
    refreshes,
    untilAsked,
    passing,
    revoked,
    elsewhere,
    expiredUses,
    load,
  };
}

/** A 2025 client without a network, with a user who is logged in. */
export async function loggedIn(
  sessions: Sessions,
  provider: FaultingProvider,
  user: string,
): Promise<Client> {
  let headers: Record<string, string> = JSON_HEADERS;
  const post = (body: string) =>
    sessions.handleRequest(new Request(ENDPOINT, { method: 'POST', headers, body }));
  const clientInfo = { name: 'test', version: '1.0.0' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const initialized = await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }));
  await initialized.text();
  headers = { ...headers, 'mcp-session-id': initialized.headers.get('mcp-session-id') ?? '' };
  const call: Client['call'] = async (tool, args) => {
    const response = await post(call2025(tool, args));
    const answer = {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      text: await response.text(),
    };
    const { result } = messageOf(answer);
    if (!result) throw new Error(`${answer.status}: ${answer.text}`);
    return result;
  };
  const { loginUrl } = (await call('login')).structuredContent;
  const { code } = await logIn(sessions, loginUrl, { provider, user });
  await call('login', { code });
  return { call, textOf: async (tool) => (await call(tool)).content[0]?.text ?? '' };
}

/** Advances the clock second by second until the calls have returned. */
export async function pass(clock: VirtualClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await clock.advance(SECOND);
}
