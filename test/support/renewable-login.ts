import { onTestFinished } from 'vitest';
import {
  createSessions,
  type ProviderOptions,
  type SessionEvent,
  type Sessions,
  type ToolContext,
} from '../../packages/sessions/src/index.js';
import {
  FaultingProvider,
  logIn,
  type QuirkName,
  VirtualClock,
} from '../../packages/sessions/src/testing/index.js';
import type { OpenAddress } from './eliciting-clients.js';
import { inMemory2025, inMemory2026, reachedFrom } from './in-memory-client.js';
import { whileClockMoves } from './moving-clock.js';
import type { ToolAnswer } from './raw-mcp.js';
import { type Era, named } from './transcribed-server.js';

const API = 'https://api.test';

type Api = NonNullable<NonNullable<ConstructorParameters<typeof FaultingProvider>[0]>['api']>;

interface Change {
  /** Default: answers with the user, or 401 without one. */
  readonly api?: Api;
  /** Answers requests to other origins. */
  readonly elsewhere?: typeof fetch;
  readonly options?: Partial<ProviderOptions>;
  readonly quirks?: readonly QuirkName[];
  readonly tools?: (
    tool: (name: string, handler: () => Promise<string>) => void,
    context: ToolContext,
  ) => void;
  /** The answer of the client to a question. Default: the client cannot be asked. */
  readonly answer?: OpenAddress;
}

/** A server, its provider and its API in this process, with a client of one era that has no login yet. */
export async function startRenewable(era: Era, change: Change = {}) {
  const { api, elsewhere, options, quirks, tools, answer } = change;
  const clock = new VirtualClock();
  const provider = new FaultingProvider({
    ...(elsewhere && { fetch: elsewhere }),
    ...(quirks && { quirks }),
    api: api ?? ((_request, user) => new Response(user ?? '', { status: user ? 200 : 401 })),
  });
  /** The forms that the server has sent to the provider. */
  const sent: URLSearchParams[] = [];
  const sessions: Sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    publicUrl: 'http://127.0.0.1:3000',
    providers: { ...provider.options, ...options },
    lifetimes: { shutdownDrainMs: 0 },
    runtime: {
      fetch: (input, init) => {
        if (init?.body instanceof URLSearchParams) sent.push(new URLSearchParams(init.body));
        return provider.fetch(input, init);
      },
      clock,
    },
    tools: (server, context) => {
      const tool = (name: string, handler: () => Promise<string>) =>
        server.registerTool(name, {}, async () => ({
          content: [{ type: 'text' as const, text: await handler() }],
        }));
      tool('use', async () => {
        const response = await context.session().fetch(`${API}/`);
        return `${response.status} ${await response.text()}`;
      });
      tools?.(tool, context);
    },
  });
  onTestFinished(() => whileClockMoves(clock, sessions.close()));
  const events: SessionEvent[] = [];
  sessions.onEvent((event) => events.push(event));
  /** The authorization requests of the browsers. */
  const requested: URLSearchParams[] = [];
  const respond = provider.authorizationResponse.bind(provider);
  provider.authorizationResponse = (url, user) => {
    requested.push(new URL(url).searchParams);
    return respond(url, user);
  };
  const here = reachedFrom(sessions, '127.0.0.1');
  const client = await (era === '2025' ? inMemory2025(here, answer) : inMemory2026(here, answer));
  let session: Record<string, unknown> = {};
  const call = async (tool: string, args: Record<string, unknown> = {}): Promise<ToolAnswer> => {
    const result = await whileClockMoves(clock, client.call(tool, { ...session, ...args }));
    session = { ...session, ...named(result.structured ?? {}) };
    return result;
  };
  const browse = (loginUrl: unknown, user = 'alice') => logIn(here, loginUrl, { provider, user });
  /** Logs in, as a user and a model do. @returns the last result of `login` */
  const login = async (args: Record<string, unknown> = {}, user = 'alice') => {
    const { structured } = await call('login', args);
    await browse(structured.loginUrl, user);
    return call('login');
  };
  const status = async () => (await call('session_status')).structured;
  return { clock, provider, sessions, events, requested, sent, here, call, browse, login, status };
}
