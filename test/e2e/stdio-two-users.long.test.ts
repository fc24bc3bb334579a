import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Browser } from '../support/browser.js';
import { logIn, ownProvider, setUpStdio } from './stdio-setup.js';

const CHILD = fileURLToPath(new URL('./stdio-two-users-child.mjs', import.meta.url));

const { start } = setUpStdio();

it.each([
  ['2025', {}],
  ['2026', { modernCapabilities: {} }],
])(
  'over stdio, the login of another user signs the first one out (%s) [security 7, 8, 10]',
  async (_era, options) => {
    const provider = await ownProvider();
    const server = await start({ command: [CHILD], environment: provider.serverEnvironment, ...options });
    const who = async () => JSON.parse((await server.call('who')).text) as { id: string; user?: string };
    await logIn(server, 'alice');
    const alice = await who();
    expect(alice.user).toBe('alice');
    const tokensOfAlice = [...provider.issued.entries];
    const holding = server.call('hold');
    await server.stderr.first('the call of alice', (line) => line === 'holding');

    const scopes = ['email'];
    const { structured } = await server.call('login', { scopes });
    await new Browser().logIn(String(structured.loginUrl), 'bob');
    const completed = await server.call('login', { scopes });
    expect(completed.structured).toMatchObject({ status: 'authenticated', account: { subject: 'bob' } });
    expect(await server.stderr.first('the end of the call', (line) => line.startsWith('held:'))).toBe(
      'held: signed_out signed_out',
    );
    await holding;
    const bob = await who();
    expect(bob.user).toBe('bob');
    expect(bob.id).not.toBe(alice.id);
    await expect
      .poll(async () => {
        const active = await provider.activeTokens();
        return tokensOfAlice.filter((token) => active.includes(token));
      })
      .toEqual([]);
  },
);
