import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { register } from '../../packages/server/src/sample/client-registration.js';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { connectOAuth, OAUTH_KINDS, REDIRECT_URL } from '../support/oauth-clients.js';

/** User pools have no registration of clients: the operator knows their ids. */
const registered = (name: string) => register({ client_name: name, redirect_uris: [REDIRECT_URL] });
const accepted = registered('accepted');
const other = registered('other');

let notes: InProcessNotes;
const log: Readonly<Record<string, unknown>>[] = [];
const write = (entry: object) => void log.push({ ...entry });

beforeAll(async () => {
  notes = await startInProcessNotes({
    mcpTokens: 'cognito',
    access: ({ issuer }) => ({ issuer, clientIds: [accepted], requiredScopes: ['mcp'] }),
    logger: { debug: write, info: write, warn: write, error: write },
  });
});
afterAll(() => notes.close());

const claimsOf = (token = '') => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

describe.each(OAUTH_KINDS)('a client of %s with tokens as those of Amazon Cognito', (kind) => {
  it('is accepted without an audience, and its user logs in at the provider [security 9]', async () => {
    const user = `${kind.replaceAll(/\W/g, '')}-user`;
    const client = await connectOAuth(kind, notes.mcp, user, accepted);
    const claims = claimsOf(client.accessTokens.at(-1));
    expect(claims).toMatchObject({ client_id: accepted, token_use: 'access', sub: user });
    expect(claims).not.toHaveProperty('aud');

    expect(await client.call('whoami')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/call .*`login`/i),
    });
    const started = await client.call('login');
    expect(started.structured).toMatchObject({ status: 'pending' });
    expect(started.structured).not.toHaveProperty('session');
    const page = await new Browser().logIn(String(started.structured.loginUrl), user);
    expect(page).toMatchObject({ status: 200, url: expect.stringMatching(/\/login\/done$/) });
    expect(page.text).toContain(user);
    expect((await client.call('login')).structured).toMatchObject({
      status: 'authenticated',
      account: { subject: user },
    });
    expect((await client.call('whoami')).structured).toMatchObject({ subject: user });
    expect((await client.call('session_status')).structured).toMatchObject({
      state: 'authenticated',
      next: expect.stringMatching(/^Nothing\./),
    });
    expect((await client.call('logout')).structured).toMatchObject({
      accounts: [{ revocation: 'confirmed' }],
    });
    expect(log.filter(({ event }) => event === 'account.authenticated').length).toBeGreaterThan(0);
    expect(JSON.stringify(log)).not.toContain(client.accessTokens[0]);
    await client.close();
  });

  it('is refused if the operator does not list the client, and the log names the reason [security 9]', async () => {
    await expect(connectOAuth(kind, notes.mcp, 'alice', other)).rejects.toThrow();
    const refused = { type: 'token.refused', reason: 'client' };
    expect(notes.events.at(-1)).toMatchObject(refused);
    // One line says it for several requests.
    expect(log).toContainEqual(expect.objectContaining({ event: refused.type, reason: refused.reason }));
  });
});
