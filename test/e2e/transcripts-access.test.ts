import { afterEach, describe, it, onTestFinished } from 'vitest';
import type { OpenAddress } from '../support/eliciting-clients.js';
import { inMemory2025, inMemory2026, reachedFrom } from '../support/in-memory-client.js';
import { connect2025 } from '../support/raw-mcp.js';
import { type SecuredNotes, type Setting, startSecuredNotes } from '../support/secured-notes.js';
import { locationOf } from '../support/step-browser.js';
import { ERAS, isKept, press, startTranscribed } from '../support/transcribed-server.js';
import { Transcript } from '../support/transcript.js';

const MINUTE_MS = 60_000;

describe('what a model reads where clients bring access tokens', () => {
  let notes: SecuredNotes;
  afterEach(() => notes.close());

  async function start(setting: Setting) {
    notes = await startSecuredNotes(setting);
    return connect2025(notes.mcp, await notes.wayOf('alice'));
  }

  /** The browser of a user follows a link to its end, and logs in wherever it is asked to. */
  async function follow(loginUrl: unknown, user: string): Promise<string> {
    const browser = notes.browser();
    let next = await browser.consent(String(loginUrl));
    while (next.origin !== notes.origin) {
      const callback = await browser.authorize(next, { username: user, password: 'any' });
      next = locationOf(await browser.request(callback), callback);
    }
    return next.pathname;
  }

  it('of the provider that users log in to', async () => {
    const transcript = new Transcript('Bearer access, one issuer');
    const client = await start('same issuer');
    const refused = await transcript.call(client, 'login');
    const wrong = await follow(refused.loginUrl, 'mallory');
    transcript.note(`The user of a browser logs in as mallory, and ends at ${wrong}.`);
    await transcript.call(client, 'login');
    const started = await transcript.call(client, 'login');
    const right = await follow(started.loginUrl, 'alice');
    transcript.note(`The user of a browser logs in as alice, and ends at ${right}.`);
    await transcript.call(client, 'login');
    const other = await connect2025(notes.mcp, await notes.wayOf('alice'));
    transcript.note('Another client of the same user calls.');
    await transcript.call(other, 'whoami');
    await transcript.call(other, 'logout', { everywhere: true });
    transcript.note('The first client calls again.');
    await transcript.call(client, 'whoami');
    await isKept(transcript, 'bearer');
  });

  it('of another authorization server, where users sign in first', async () => {
    const transcript = new Transcript('Bearer access, with a sign-in at the authorization server');
    const client = await start('sign-in');
    const refused = await transcript.call(client, 'login');
    const wrong = await follow(refused.loginUrl, 'mallory');
    transcript.note(`The user of a browser signs in as mallory, and ends at ${wrong}.`);
    await transcript.call(client, 'login');
    const started = await transcript.call(client, 'login');
    const right = await follow(started.loginUrl, 'alice');
    transcript.note(`The user of a browser signs in as alice, logs in, and ends at ${right}.`);
    await transcript.call(client, 'login');
    await transcript.call(client, 'whoami');
    await isKept(transcript, 'sign-in');
  });
});

it.each(ERAS)('what a model reads in the %s era when there are too many logins', async (era) => {
  const limits = { loginStartsPerMinute: 3, pendingLogins: 1 };
  const server = startTranscribed({ access: 'open-to-network', limits });
  onTestFinished(() => server.sessions.close());
  const transcript = new Transcript(`Too many logins, ${era}`);
  const answers: ('accept' | 'cancel')[] = ['accept', 'cancel'];
  const here = reachedFrom(server.sessions, '203.0.113.7');
  const open: OpenAddress = async ({ message, url }) => {
    transcript.note(`The client asks its user: ${message} ${url}`);
    return answers.shift() ?? 'cancel';
  };
  const client = era === '2025' ? await inMemory2025(here, open) : inMemory2026(here, open);
  const calling = transcript.call(client, 'login');
  await server.clock.advance(1000);
  const elsewhere = reachedFrom(server.sessions, '203.0.113.8');
  transcript.note('Another user starts a login, and there may be no more than one.');
  const { structured } = await inMemory2026(elsewhere).call('login');
  await calling;
  await press('continue', elsewhere, structured.loginUrl);
  transcript.note('That user is at the provider.');
  await transcript.call(client, 'login');
  await transcript.call(client, 'login');
  await transcript.call(client, 'login');
  await press('decline', elsewhere, structured.loginUrl);
  await server.clock.advance(MINUTE_MS);
  transcript.note('The other user has given up. A minute passes.');
  await transcript.call(client, 'login');
  await isKept(transcript, `limits-${era}`);
});

it('what a model reads when it forgets its session again and again', async () => {
  const server = startTranscribed({
    access: 'open-to-network',
    limits: { anonymousSessionsPerAddress: 2 },
  });
  onTestFinished(() => server.sessions.close());
  const transcript = new Transcript('Sessions that were forgotten');
  const client = inMemory2026(reachedFrom(server.sessions, '203.0.113.7'));
  await transcript.call(client, 'login');
  await transcript.call(client, 'login');
  await transcript.call(client, 'login');
  await isKept(transcript, 'forgotten-2026');
});
