import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createSessions, type SessionEvent, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { type InMemoryClient, inMemory2025, inMemory2026, reachedFrom } from '../support/in-memory-client.js';
import { createLatch, type Latch } from '../support/latch.js';

const IDLE_MS = 10_000;
/** Longer than the idle time and the grace. */
const CALL_MS = 12_000;
const API = 'https://api.test/notes';

let clock: VirtualClock;
let provider: FaultingProvider;
let sessions: Sessions;
/** The server for local clients and browsers. */
let here: Pick<Sessions, 'handleRequest'>;
let events: SessionEvent[];
let began: Latch;
let released: Latch;

beforeEach(() => {
  clock = new VirtualClock();
  provider = new FaultingProvider();
  events = [];
  began = createLatch();
  released = createLatch();
  sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    providers: provider.options,
    publicUrl: 'http://127.0.0.1:3000',
    lifetimes: { shutdownDrainMs: 0, idleMs: IDLE_MS, disconnectGraceMs: 2_000 },
    runtime: { fetch: provider.fetch, clock },
    tools: (server, context) => {
      const work = async () => {
        const session = context.session();
        began.open();
        await released.opened;
        const { status } = await session.fetch(API);
        return { content: [{ type: 'text' as const, text: `the API said ${status}` }] };
      };
      server.registerTool('work', { description: 'Works for long, then asks the API.' }, work);
      server.registerTool(
        'work_logged_in',
        { description: 'The same.', inputSchema: z.object({}) },
        context.requireLogin(work),
      );
    },
  });
  here = reachedFrom(sessions, '127.0.0.1');
  sessions.onEvent((event) => events.push(event));
});

afterEach(() => sessions.close());

/** The reasons of sign-outs, without the replacement of pending handles. */
const signOuts = () =>
  events.flatMap((event) => {
    const isEnd = event.type === 'session.signed_out' || event.type === 'session.ended';
    return isEnd && event.reason !== 'replaced' ? event.reason : [];
  });

/** Runs a call for longer than the idle timeout of its session. */
async function workFor(call: Promise<unknown>): Promise<unknown> {
  await Promise.race([began.opened, call]);
  await clock.advance(CALL_MS);
  expect(signOuts()).toEqual([]);
  released.open();
  return call;
}

const linkSchema = z.object({ loginUrl: z.string() });

describe.each<[era: string, connect: () => Promise<InMemoryClient>]>([
  ['2025', () => inMemory2025(here)],
  ['2026', async () => inMemory2026(here)],
])('a %s call that takes longer than the idle timeout of its session', (_, connect) => {
  it('keeps its login, and the idle time starts with its response [security 34, 36]', async () => {
    const client = await connect();
    const started = (await client.call('login')).structured;
    await logIn(here, linkSchema.parse(started).loginUrl, { provider, user: 'alice' });
    const named = typeof started.session === 'string' ? { session: started.session } : {};
    const { structured } = await client.call('login', named);
    const session = typeof structured.session === 'string' ? { session: structured.session } : {};
    expect(await workFor(client.call('work', session))).toMatchObject({
      isError: false,
      text: expect.stringContaining('the API said'),
    });
    await clock.advance(IDLE_MS - 1_000);
    expect(signOuts()).toEqual([]);
    await clock.advance(2_000);
    expect(signOuts()).toEqual(['idle']);
  });
});

describe('a call that has waited for its user to log in', () => {
  it('may run for any time in its new session [security 34, 36]', async () => {
    const client = inMemory2026(here, async ({ url }) => {
      await logIn(here, url, { provider, user: 'alice' });
      return 'accept';
    });
    const answer = await workFor(client.call('work_logged_in'));
    expect(answer).toMatchObject({ isError: false });
  });
});
