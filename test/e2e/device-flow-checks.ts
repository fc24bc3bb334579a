import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser } from '../support/browser.js';
import { client2026, connect2025, type RawClient } from '../support/raw-mcp.js';
import { type SETTINGS, type SecuredNotes, startSecuredNotes } from '../support/secured-notes.js';

const ERAS = ['2025', '2026'] as const;

/** Whether a server with those settings verifies that the user who approves a login has started it. */
export function describeDeviceFlowChecks(setting: (typeof SETTINGS)[number]): void {
  describe(`the device flow with the login check "${setting}"`, () => {
    const isChecked = setting === 'same issuer';
    let notes: SecuredNotes;
    beforeAll(async () => {
      notes = await startSecuredNotes(setting, { deviceFlow: 'only' });
    });
    afterAll(() => notes.close());

    /** Starts a login of one user, which another user approves. */
    async function approvedBy(initiator: string, approver: string, era: (typeof ERAS)[number]) {
      const way = await notes.wayOf(initiator);
      const client: RawClient =
        era === '2025' ? await connect2025(notes.mcp, way) : client2026(notes.mcp, undefined, way);
      const earlier = notes.audit.entries.length;
      const { structured } = await client.call('login');
      await new Browser().approve(String(structured.loginUrl), String(structured.userCode), approver);
      const lines = () => notes.audit.entries.slice(earlier);
      await notes.audit.until('the end of the login', () =>
        lines().find(({ event }) => event === 'login.failed' || event === 'account.authenticated'),
      );
      return { client, started: lines().find(({ event }) => event === 'login.started') };
    }

    describe.each(ERAS)('for a %s client', (era) => {
      it('accepts the login of its own user, and the audit log says whether the user was verified [security 14, 49]', async () => {
        const user = `own-${era}`;
        const { client, started } = await approvedBy(user, user, era);
        expect(started).toMatchObject({ flow: 'device', check: isChecked ? 'same-user' : 'unchecked' });
        expect((await client.call('login')).structured).toMatchObject({ account: { subject: user } });
      });

      if (isChecked)
        it('rejects the login of another user, and revokes its tokens', async () => {
          const { client } = await approvedBy(`attacker-${era}`, `victim-${era}`, era);
          expect(await client.call('login')).toMatchObject({
            isError: true,
            text: expect.stringMatching(/another user/),
          });
          expect(await client.call('whoami')).toMatchObject({ isError: true });
          const living = async () =>
            (await notes.upstream.livingTokens()).filter(({ user }) => user === `victim-${era}`);
          await expect.poll(living).toEqual([]);
        });
      // A known weakness of the device flow, which is why it is disabled by default.
      else
        it('accepts the login of another user, because it cannot verify who approves', async () => {
          const { client } = await approvedBy(`attacker-${era}`, `victim-${era}`, era);
          expect((await client.call('login')).structured).toMatchObject({
            account: { subject: `victim-${era}` },
          });
        });
    });
  });
}
