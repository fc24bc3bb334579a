import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser } from '../support/browser.js';
import { connectEliciting, ELICITING_KINDS } from '../support/eliciting-clients.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { CLIENT_KINDS, connect } from '../support/mcp-clients.js';
import { clientIn, codeOf, ERAS, failureOf, newUser, successOf } from './device-flow-setup.js';

let notes: InProcessNotes;

describe('with the device flow as the only login', () => {
  beforeAll(async () => {
    notes = await startInProcessNotes({ deviceFlow: 'only' });
  });
  afterAll(() => notes.close());

  it.each(CLIENT_KINDS)('gives a code to a client without elicitation (%s)', async (kind) => {
    const user = newUser();
    const client = await connect(kind, notes.mcp);
    const { structured } = await client.call('login');
    expect(structured).toMatchObject({ status: 'pending', userCode: expect.stringMatching(/^.{4}-.{4}$/) });
    expect(structured.next).toMatch(/userCode/);
    const page = await new Browser().approve(String(structured.loginUrl), String(structured.userCode), user);
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('You are signed in') });
    // The user confirms before the next poll, so that the call waits for the poll.
    expect((await client.call('login')).structured).toMatchObject({
      status: 'authenticated',
      account: { subject: user },
    });
    expect((await client.call('whoami')).structured).toMatchObject({ subject: user });
    await client.close();
  });

  it.each(ELICITING_KINDS)(
    'sends elicitation with the code to a client that supports it (%s)',
    async (kind) => {
      const user = newUser();
      const approving: Promise<unknown>[] = [];
      const client = await connectEliciting(kind, notes.mcp, async ({ message, url }) => {
        expect(new URL(url).pathname).toBe('/device');
        const userCode = /[A-Z]{4}-[A-Z]{4}/.exec(message)?.[0] ?? '';
        approving.push(new Browser().approve(url, userCode, user));
        return 'accept';
      });
      expect((await client.call('login')).structured).toMatchObject({ account: { subject: user } });
      expect(await Promise.all(approving)).toHaveLength(1);
      await client.close();
    },
  );

  it.each(ELICITING_KINDS)('gives the code to a client that declines elicitation (%s)', async (kind) => {
    const client = await connectEliciting(kind, notes.mcp, async () => 'decline');
    const { isError, structured } = await client.call('login');
    expect({ isError, ...structured }).toMatchObject({
      isError: false,
      status: 'pending',
      userCode: expect.stringMatching(/^.{4}-.{4}$/),
    });
    await client.close();
  });

  describe.each(ERAS)('in %s', (era) => {
    it('returns the same code while the login is pending', async () => {
      const client = await clientIn(era, notes.mcp);
      const first = await codeOf(client);
      expect(await codeOf(client)).toEqual(first);
      expect((await client.call('login')).structured.next).toMatch(/not completed/);
    });

    it('reports that the user denied the code', async () => {
      const client = await clientIn(era, notes.mcp);
      const { loginUrl, userCode } = await codeOf(client);
      const declined = failureOf(notes, 'declined');
      const browser = new Browser();
      await browser.submit(await browser.enterCode(loginUrl, userCode), { abort: 'yes' });
      await declined;
      expect(await client.call('login')).toMatchObject({
        isError: true,
        text: expect.stringMatching(/declined/),
      });
      expect(await codeOf(client)).not.toEqual({ loginUrl, userCode });
    });

    it('reports that the user cancelled the sign-in', async () => {
      const client = await clientIn(era, notes.mcp);
      const { loginUrl, userCode } = await codeOf(client);
      const declined = failureOf(notes, 'declined');
      const browser = new Browser();
      const login = await browser.submit(await browser.enterCode(loginUrl, userCode), { confirm: 'yes' });
      expect((await browser.submit(login, { cancel: 'yes' })).text).toContain('cancelled');
      await declined;
      expect(await client.call('login')).toMatchObject({
        isError: true,
        text: expect.stringMatching(/declined/),
      });
    });

    it('lets a user who mistyped the code try again', async () => {
      const user = newUser();
      const client = await clientIn(era, notes.mcp);
      const { loginUrl, userCode } = await codeOf(client);
      const browser = new Browser();
      const wrong = await browser.enterCode(loginUrl, 'WRNG-CDES');
      expect(wrong.text).toContain('This code is invalid or has expired');
      const authenticated = successOf(notes);
      const confirm = await browser.submit(wrong, { user_code: userCode });
      await browser.submit(await browser.submit(confirm, { confirm: 'yes' }), { username: user });
      await authenticated;
      expect((await client.call('login')).structured).toMatchObject({ account: { subject: user } });
    });

    it('reports a login that completed after the call was given up at the next call', async () => {
      const user = newUser();
      const client = await clientIn(era, notes.mcp);
      const { loginUrl, userCode } = await codeOf(client);
      const authenticated = successOf(notes);
      await new Browser().approve(loginUrl, userCode, user);
      await authenticated;
      expect((await client.call('login')).structured).toMatchObject({ account: { subject: user } });
    });
  });
});
