import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { ManualClock } from '../support/manual-clock.js';
import { connectOAuth, OAUTH_KINDS } from '../support/oauth-clients.js';

const TOKEN_MS = 120_000;
const clock = new ManualClock();
let notes: InProcessNotes;

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  notes = await startInProcessNotes({
    runtime: { clock },
    access: ({ issuer }) => ({ issuer, requiredScopes: ['mcp'] }),
  });
  notes.provider.accessTokenSeconds = TOKEN_MS / 1000;
});

afterAll(async () => {
  vi.useRealTimers();
  await notes.close();
});

describe.each(OAUTH_KINDS)('a client of %s', (kind) => {
  it('discovers the authorization server from the 401, gets and renews a token, and logs in upstream [security 4, 9]', async () => {
    const user = `${kind.replaceAll(/\W/g, '')}-user`;
    const client = await connectOAuth(kind, notes.mcp, user);
    expect(await client.call('whoami')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/login/),
    });
    const started = await client.call('login');
    expect(started.structured).not.toHaveProperty('session');
    const page = await new Browser().logIn(String(started.structured.loginUrl), user);
    expect(page.url).toMatch(/\/login\/done$/);
    expect((await client.call('login')).structured).toMatchObject({
      status: 'authenticated',
      account: { subject: user },
    });
    expect((await client.call('whoami')).structured).toMatchObject({ subject: user });

    const before = client.accessTokens.length;
    vi.setSystemTime(Date.now() + TOKEN_MS);
    clock.advance(TOKEN_MS);
    expect((await client.call('whoami')).structured).toMatchObject({ subject: user });
    expect(client.accessTokens.length).toBeGreaterThan(before);
    // The session is the same with the new token.
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'authenticated' });
    expect((await client.call('logout')).structured).toMatchObject({ status: 'logged_out' });
    await client.close();
  });
});
