import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser } from '../support/browser.js';
import { connectOAuth, OAUTH_KINDS } from '../support/oauth-clients.js';
import { FREE_PORTS, type ServerProcess, startServer } from '../support/server-process.js';

let server: ServerProcess;

beforeAll(async () => {
  // Short-lived, so that the clients have to renew theirs meanwhile.
  server = await startServer({ flags: [...FREE_PORTS, '--access', 'bearer', '--access-token-seconds', '3'] });
});

afterAll(() => server.stop());

describe.each(OAUTH_KINDS)('a client of %s', (kind) => {
  it('finds the authorization server from the 401, gets itself a token, renews it, and logs in upstream [security 4, 9]', async () => {
    const user = `${kind.replaceAll(/\W/g, '')}-user`;
    const client = await connectOAuth(kind, server.addresses.mcp, user);
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
    for (let calls = 0; client.accessTokens.length <= before; calls++) {
      expect((await client.call('whoami')).structured).toMatchObject({ subject: user });
      if (calls > 2000) throw new Error('It never had to renew its token.');
    }
    // The new token opens the same session.
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'authenticated' });
    expect((await client.call('logout')).structured).toMatchObject({ status: 'logged_out' });
    await client.close();
  });
});
