import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { SessionEvent } from '../../packages/sessions/src/index.js';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { client2026, connect2025, logIn, type RawClient } from '../support/raw-mcp.js';
import { ERAS, named, startTranscribed } from '../support/transcribed-server.js';

let notes: InProcessNotes;
beforeAll(async () => {
  notes = await startInProcessNotes();
});
afterAll(() => notes.close());

const eras = {
  '2025': (): Promise<RawClient> => connect2025(notes.mcp),
  '2026': async (): Promise<RawClient> => client2026(notes.mcp),
};

it.each(['2025', '2026'] as const)(
  'an operator lists the sessions of %s and signs one user out, and no other [security 34]',
  async (era) => {
    const subjects = ['alice', 'bob'].map((name) => `${name}-${era}`);
    const [alice, bob] = await Promise.all(
      subjects.map(async (user) => logIn(await eras[era](), new Browser(), user)),
    );
    const listed = async () => (await notes.sessions.list()).flatMap(({ accounts }) => accounts);
    expect(await listed()).toEqual(
      expect.arrayContaining(
        subjects.map((subject) => ({ provider: 'sample', subject, name: expect.any(String) })),
      ),
    );
    const isRevoked = notes.next(({ type }) => type === 'account.revoked');
    expect(await notes.sessions.signOut({ subject: subjects[0] ?? '' })).toBe(1);
    expect(await isRevoked).toMatchObject({ revocation: 'confirmed' });
    const refused = await alice?.call('whoami');
    expect(refused).toMatchObject({ isError: true, text: expect.stringContaining('`login`') });
    expect(await bob?.call('whoami')).toMatchObject({ isError: false });
    expect((await listed()).map(({ subject }) => subject)).not.toContain(subjects[0]);
  },
);

it.each(ERAS)(
  'a login that waits for its confirmation code is discarded when an operator signs its user out (%s) [security 34]',
  async (era) => {
    const server = startTranscribed();
    onTestFinished(() => server.sessions.close());
    const events: SessionEvent[] = [];
    server.sessions.onEvent((event) => void events.push(event));
    const waiting = async (user: string) => {
      const client = await server.clientOf(era);
      const started = (await client.call('login')).structured;
      const code = await server.browse(started.loginUrl, user);
      return () => client.call('login', { ...named(started), code });
    };
    const [confirmAlice, confirmBob] = [await waiting('alice'), await waiting('bob')];
    expect(await server.sessions.signOut({ subject: 'alice' })).toBe(1);
    await expect
      .poll(() => events.filter(({ type }) => type === 'account.revoked'))
      .toEqual([
        expect.objectContaining({ provider: 'provider', subject: 'alice', revocation: 'confirmed' }),
      ]);
    expect(events).toContainEqual(expect.objectContaining({ type: 'login.failed', failure: 'signed_out' }));
    expect(await confirmAlice()).toMatchObject({
      isError: true,
      text: expect.stringContaining('Call `login`'),
    });
    expect((await confirmBob()).structured).toMatchObject({ status: 'authenticated' });
    const listed = (await server.sessions.list()).flatMap(({ accounts }) => accounts);
    expect(listed.map(({ subject }) => subject)).toEqual(['bob']);
    expect(await server.sessions.signOut({ provider: 'provider' })).toBe(1);
  },
);
