import { describe, expect, it } from 'vitest';
import type { ConnectRequest } from '../browser/flow.js';
import { connectPage, donePage } from './pages.js';

const BRAND = { name: 'Notes', logo: undefined };
const REQUEST: ConnectRequest = {
  clientName: 'Example Client',
  provider: { displayName: 'sample', host: 'id.example.com' },
  scopes: ['openid'],
  startedSecondsAgo: 0,
  signInAt: undefined,
};

/** What a page says, without its markup. */
function textOf({ html }: { html: string }): string {
  const [, main = ''] = html.split('<main>');
  return main.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
}

const connectText = async (request: Partial<ConnectRequest>) =>
  textOf(await connectPage(BRAND, { ...REQUEST, ...request }, 'token'));

describe('the connect page', () => {
  it('says by name and host where Continue leads', async () => {
    expect(await connectText({})).toContain('Log in at sample · id.example.com Asks for');
  });

  it('says the host once that has no other name', async () => {
    const place = { displayName: 'id.example.com', host: 'id.example.com' };
    expect(await connectText({ provider: place })).toContain('Log in at id.example.com Asks for');
  });

  it('says where the browser signs in first', async () => {
    const signInAt = { displayName: 'staff', host: 'sso.example.com' };
    expect(await connectText({ signInAt })).toMatch(/first sign in at staff · sso\.example\.com *,/);
  });

  it('says in words what the scopes of OpenID Connect mean, and shows all others as they are', async () => {
    const text = await connectText({ scopes: ['openid', 'offline_access', 'profile', 'notes:<read>'] });
    expect(text).toContain('Asks for who you are staying logged in profile notes:&lt;read&gt; Started');
  });

  it('says nothing of scopes where there are none', async () => {
    expect(await connectText({ scopes: [] })).not.toContain('Asks for');
  });
});

describe('the last page of a login', () => {
  it.each([
    ['Example Client', 'You are logged in as Alice . Example Client can go on.'],
    [' ', 'You are logged in as Alice . Your client can go on.'],
    [undefined, 'You are logged in as Alice . Your client can go on.'],
  ])('says as whom, and for the client %j', async (clientName, words) => {
    expect(textOf(await donePage(BRAND, { account: 'Alice', clientName }))).toContain(words);
  });

  it('names nobody where that is not known', async () => {
    expect(textOf(await donePage(BRAND))).not.toContain('logged in as');
  });
});
