import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { logIn } from '../../packages/sessions/src/testing/index.js';
import { inMemory2025, inMemory2026 } from '../support/in-memory-client.js';
import { createLatch } from '../support/latch.js';
import { ERAS, named, startTranscribed } from '../support/transcribed-server.js';

const USERS = ['alice', 'bob', 'carol', 'dave'];
const userSchema = z.object({ sub: z.string() });

it.each(ERAS)(
  'users of tools with state in their closure get only their own data from `context` (%s) [security 8]',
  async (era) => {
    const all = createLatch();
    let running = 0;
    const server = startTranscribed({
      tools: (mcp, context) => {
        let calls = 0;
        const askWho = async (accessToken: string) => {
          const headers = { authorization: `Bearer ${accessToken}` };
          const response = await server.provider.fetch('https://provider.test/userinfo', { headers });
          return userSchema.parse(await response.json()).sub;
        };
        mcp.registerTool(
          'count',
          { description: 'Counts its calls.' },
          context.requireLogin(async () => {
            const count = ++calls;
            // All calls run at the same time.
            if (++running === USERS.length) all.open();
            await all.opened;
            const user = await context.session().withAccessToken(askWho);
            return { content: [{ type: 'text' as const, text: JSON.stringify({ count, user }) }] };
          }),
        );
      },
    });
    onTestFinished(() => server.sessions.close());
    const clients = await Promise.all(
      USERS.map(async (user) => {
        const client = await (era === '2025' ? inMemory2025(server.here) : inMemory2026(server.here));
        const started = (await client.call('login')).structured;
        await logIn(server.here, started.loginUrl, { provider: server.provider, user });
        return { client, session: named((await client.call('login', named(started))).structured) };
      }),
    );
    const answers = await Promise.all(
      clients.map(async ({ client, session }) => {
        const { text } = await client.call('count', session);
        return z.object({ count: z.number(), user: z.string() }).parse(JSON.parse(text));
      }),
    );
    expect(answers.map(({ user }) => user)).toEqual(USERS);
    const counts = answers.map(({ count }) => count).sort();
    // 2025 connections have closures of their own, 2026 requests share one.
    expect(counts).toEqual(era === '2025' ? [1, 1, 1, 1] : [1, 2, 3, 4]);
  },
);
