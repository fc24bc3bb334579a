import { describe, expect, it } from 'vitest';
import { Journal } from '../support/journal.js';
import type { ClientKind } from '../support/mcp-clients.js';
import { isAlive } from './stdio-process.js';
import { add, inFrontOf, ownProvider, type StdioSetup } from './stdio-setup.js';

/** Tests what a client can do with a server that it has started. */
export function describeStdioClient(kind: ClientKind, setup: StdioSetup): void {
  const { connect } = setup;
  describe(`over stdio, ${kind}`, () => {
    it('can log in, call tools, be refreshed, log out and log in again', async () => {
      const strict = await ownProvider({ accessTokenSeconds: 4 });
      const client = await connect(kind, inFrontOf(strict));
      expect(client.protocolVersion).toBe(/2025|1[.]x/.test(kind) ? '2025-11-25' : '2026-07-28');
      expect((await client.call('session_status')).structured).toMatchObject({
        state: 'anonymous',
        next: 'Call `login` to log in.',
      });
      expect(await client.call('whoami')).toMatchObject({
        isError: true,
        text: expect.stringMatching(/call .*`login`/i),
      });

      expect((await client.logIn('alice')).structured).toMatchObject({ account: { subject: 'alice' } });
      const note = await add(client, 'milk');
      expect((await client.call('list_notes')).structured).toEqual({ notes: [note] });

      const [first, , ...renewed] = await strict.issued.until('a second pair of tokens', (tokens) =>
        tokens.length >= 4 ? tokens : undefined,
      );
      expect(renewed).not.toContain(first);
      expect((await client.call('list_notes')).structured).toEqual({ notes: [note] });

      expect((await client.call('logout')).structured).toEqual({
        status: 'logged_out',
        accounts: [{ provider: expect.any(String), revocation: 'confirmed' }],
        next: 'The user is logged out here.',
      });
      expect(await strict.activeTokens()).toEqual([]);
      expect((await client.call('session_status')).structured).toMatchObject({
        state: 'anonymous',
        signedOut: 'logout',
      });
      expect((await client.logIn('bob')).structured).toMatchObject({ account: { subject: 'bob' } });
      expect((await client.call('whoami')).structured).toMatchObject({ subject: 'bob' });
      expect(client.errors).toEqual([]);

      await client.close();
      expect(isAlive(client.pid)).toBe(false);
      expect(await strict.activeTokens()).toEqual([]);
    });

    it('sees no session handle in any tool or text', async () => {
      const client = await connect(kind, inFrontOf(setup.provider));
      const tools = await client.tools();
      const pending = await client.call('login');
      const completed = await client.logIn('alice');
      expect(tools.map(({ name }) => name)).toContain('login');
      for (const { inputSchema } of tools) {
        expect(Object.keys(inputSchema.properties ?? {})).not.toContain('session');
      }
      expect(completed.structured.status).toBe('authenticated');
      for (const { structured } of [pending, completed]) {
        expect(structured).not.toHaveProperty('session');
      }
      const said = JSON.stringify([tools, client.instructions, pending, completed]);
      expect(said).toContain('`login`');
      expect(said).not.toMatch(/`session`|session handle/i);
    });

    it('is notified when the status of its session changes', async () => {
      const client = await connect(kind, inFrontOf(setup.provider));
      const changes = new Journal<string>();
      await client.subscribe('session://status', (uri) => changes.add(uri));
      await client.logIn('alice');
      await changes.until(
        'the start and the end of the login',
        (updates) => updates.length >= 2 || undefined,
      );
      const before = changes.entries.length;
      await client.call('logout');
      await changes.until('the logout', (updates) => updates.length > before || undefined);
      expect(new Set(changes.entries)).toEqual(new Set(['session://status']));
    });

    it('can run in two processes with one user each', async () => {
      const [first, second] = await Promise.all([connect(kind, {}), connect(kind, {})]);
      await Promise.all([first.logIn('alice'), second.logIn('bob')]);
      expect((await first.call('whoami')).structured).toMatchObject({ subject: 'alice' });
      expect((await second.call('whoami')).structured).toMatchObject({ subject: 'bob' });
      await first.call('logout');
      await first.close();
      expect((await first.call('whoami').catch(String)).toString()).toMatch(/closed|not connected/i);
      expect((await second.call('whoami')).structured).toMatchObject({ subject: 'bob' });
    });
  });
}
