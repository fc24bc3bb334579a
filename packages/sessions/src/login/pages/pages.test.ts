import { describe, expect, it } from 'vitest';
import { formatWait } from '../../errors.js';
import type { ConnectRequest } from '../browser/flow.js';
import { connectPage, donePage } from './pages.js';
import { tooManyRequestsPage } from './problem-pages.js';

const BRAND = { name: 'Notes', logo: undefined };
const REQUEST: ConnectRequest = {
  clientName: 'Example Client',
  provider: { displayName: 'sample', host: 'id.example.com' },
  scopes: ['openid'],
  startedSecondsAgo: 0,
  signInAt: undefined,
};

/** The text of a page, without markup. */
function textOf({ html }: { html: string }): string {
  const [, main = ''] = html.split('<main>');
  return main.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
}

const connectText = async (request: Partial<ConnectRequest>) =>
  textOf(await connectPage(BRAND, { ...REQUEST, ...request }, 'token'));

describe('the connect page', () => {
  it('shows the name and host of the provider', async () => {
    expect(await connectText({})).toContain('Log in at sample · id.example.com Access');
  });

  it('shows the host once if there is no other name', async () => {
    const provider = { displayName: 'id.example.com', host: 'id.example.com' };
    expect(await connectText({ provider })).toContain('Log in at id.example.com Access');
  });

  it('shows where the user signs in first', async () => {
    const signInAt = { displayName: 'staff', host: 'sso.example.com' };
    expect(await connectText({ signInAt })).toMatch(
      /First, you sign in at staff · sso\.example\.com *to confirm/,
    );
  });

  it('describes the scopes of OpenID Connect, and shows all others as they are', async () => {
    const text = await connectText({ scopes: ['openid', 'offline_access', 'profile', 'notes:<read>'] });
    expect(text).toContain('Access your identity stay logged in profile notes:&lt;read&gt; Started');
  });

  it('has no permissions without scopes', async () => {
    expect(await connectText({ scopes: [] })).not.toContain('Access');
  });
});

describe('the last page of a login', () => {
  it.each([
    [
      'Example Client',
      'You are logged in as Alice . You can close this window and return to Example Client .',
    ],
    [' ', 'You are logged in as Alice . You can close this window and return to your client.'],
    [undefined, 'You are logged in as Alice . You can close this window and return to your client.'],
  ])('names the account and the client %j', async (clientName, words) => {
    expect(textOf(await donePage(BRAND, { account: 'Alice', clientName }))).toContain(words);
  });

  it('names no account after its cookie is gone', async () => {
    expect(textOf(await donePage(BRAND))).not.toContain('logged in as');
  });
});

it.each([1, 20, 600])(
  'the page for too many requests states a wait of %i seconds as errors do',
  async (seconds) => {
    const text = textOf(await tooManyRequestsPage(BRAND, seconds));
    expect(text).toContain(`Wait ${formatWait(seconds)}, then reload this page.`);
  },
);
