import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Browser } from '../support/browser.js';
import {
  connectEliciting,
  ELICITING_KINDS,
  type ElicitingClient,
  type ElicitingKind,
  type Progress,
} from '../support/eliciting-clients.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { createLatch } from '../support/latch.js';
import { client2026, connect2025, type RawClient, startLogin } from '../support/raw-mcp.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';

const ERAS = ['2025', '2026'] as const;

let notes: InProcessNotes;
beforeEach(async () => {
  notes = await startInProcessNotes();
});
afterEach(() => notes.close());

const clientOf = (era: (typeof ERAS)[number]): Promise<RawClient> =>
  era === '2025' ? connect2025(notes.mcp) : Promise.resolve(client2026(notes.mcp));

/** A client that opens links, and whose user waits for the test. */
async function opening(kind: ElicitingKind): Promise<{ client: ElicitingClient; link: () => string }> {
  let link = '';
  const client = await connectEliciting(kind, notes.mcp, async ({ url }) => {
    link = url;
    return 'accept';
  });
  return { client, link: () => link };
}

/** Filters progress that some clients add for their own rounds. */
const whenWaiting = (report: (progress: Progress) => void) => (progress: Progress) => {
  if (progress.message?.startsWith('Waiting for the user')) report(progress);
};

describe.each(ELICITING_KINDS)('a `login` call that waits for the browser (%s)', (kind) => {
  it('sends progress to a client that requested it', async () => {
    const { client, link } = await opening(kind);
    const received: Progress[] = [];
    const told = createLatch();
    const onprogress = whenWaiting((progress) => {
      received.push(progress);
      told.open();
    });
    const calling = client.call('login', {}, { onprogress });
    await told.opened;
    await new Browser().logIn(link(), 'alice');
    expect((await calling).structured).toMatchObject({ account: { subject: 'alice' } });
    expect(received[0]?.message).toBe('Waiting for the user to log in to sample in the browser.');
    expect(client.notifications).toContain('notifications/progress');
    const counts = received.map(({ progress }) => progress);
    expect(counts).toEqual([...new Set(counts)].toSorted((one, other) => one - other));
    await client.close();
  });

  it('sends no progress to a client that did not request it', async () => {
    const { client, link } = await opening(kind);
    const started = notes.next(({ type }) => type === 'login.started');
    const calling = client.call('login');
    await started;
    await expect.poll(link).not.toBe('');
    await new Browser().logIn(link(), 'bob');
    expect((await calling).isError).toBe(false);
    expect(client.notifications).not.toContain('notifications/progress');
    await client.close();
  });

  it('ends when the login expires [security 12]', async () => {
    await notes.close();
    const clock = new VirtualClock();
    notes = await startInProcessNotes({ lifetimes: { loginAttemptMs: 20_000 }, runtime: { clock } });
    const { client, link } = await opening(kind);
    const calling = client.call('login');
    await expect.poll(link).not.toBe('');
    await clock.advance(20_000);
    expect(await calling).toMatchObject({
      isError: true,
      text: expect.stringMatching(/not completed in time/),
    });
    expect((await new Browser().open(link())).text).toContain('Login expired');
    await client.close();
  });
});

describe.each(ELICITING_KINDS)('a `login` call that waits for a device code (%s)', (kind) => {
  const calling = async (onprogress?: (progress: Progress) => void) => {
    await notes.close();
    notes = await startInProcessNotes({ deviceFlow: 'only' });
    const asked: string[] = [];
    const client = await connectEliciting(kind, notes.mcp, async ({ message, url }) => {
      asked.push(url, /[A-Z]{4}-[A-Z]{4}/.exec(message)?.[0] ?? '');
      return 'accept';
    });
    const call = client.call('login', {}, { ...(onprogress && { onprogress }) });
    await expect.poll(() => asked).toHaveLength(2);
    const [url = '', userCode = ''] = asked;
    return { client, call, userCode, approve: () => new Browser().approve(url, userCode, 'alice') };
  };

  it('sends progress with the code to a client that requested it', async () => {
    const told = createLatch();
    const received: Progress[] = [];
    const { client, call, userCode, approve } = await calling(
      whenWaiting((progress) => {
        received.push(progress);
        told.open();
      }),
    );
    await told.opened;
    await approve();
    expect((await call).structured).toMatchObject({ account: { subject: 'alice' } });
    expect(received[0]?.message).toBe(
      `Waiting for the user to type in the code ${userCode} at sample, and to approve the login.`,
    );
    await client.close();
  });

  it('sends no progress to a client that did not request it', async () => {
    const { client, call, approve } = await calling();
    await approve();
    expect((await call).isError).toBe(false);
    expect(client.notifications).not.toContain('notifications/progress');
    await client.close();
  });
});

describe('a tool call that waits for a login', () => {
  it('sends progress to a client that requested it, and continues after the login', async () => {
    const { client, link } = await opening('SDK 2.x in 2026');
    const told = createLatch();
    const received: Progress[] = [];
    const onprogress = whenWaiting((progress) => {
      received.push(progress);
      told.open();
    });
    const calling = client.call('add_note', { text: 'after the login' }, { onprogress });
    await told.opened;
    await new Browser().logIn(link(), 'alice');
    expect((await calling).structured).toMatchObject({ text: 'after the login' });
    expect(received[0]?.message).toBe('Waiting for the user to log in to sample in the browser.');
    await client.close();
  });

  it('sends no progress to a client that did not request it', async () => {
    const { client, link } = await opening('SDK 2.x in 2026');
    const calling = client.call('add_note', { text: 'after the login' });
    await expect.poll(link).not.toBe('');
    await new Browser().logIn(link(), 'bob');
    expect((await calling).structured).toMatchObject({ text: 'after the login' });
    expect(client.notifications).not.toContain('notifications/progress');
    await client.close();
  });
});

describe.each(ELICITING_KINDS)('a client that cancelled its call (%s)', (kind) => {
  it('can log in with its next call', async () => {
    const { client, link } = await opening(kind);
    const giveUp = new AbortController();
    const onprogress = whenWaiting(() => giveUp.abort());
    await expect(client.call('login', {}, { signal: giveUp.signal, onprogress })).rejects.toThrow();
    const first = link();
    const authenticated = notes.next(({ type }) => type === 'account.authenticated');
    await new Browser().logIn(first, 'alice');
    await authenticated;
    let again: Promise<unknown> | undefined;
    const logInAgain = whenWaiting(() => {
      again ??= new Browser().logIn(link(), 'alice');
    });
    const { structured } = await client.call('login', {}, { onprogress: logInAgain });
    expect(structured).toMatchObject({ account: { subject: 'alice' } });
    await again;
    // In 2025 the connection is logged in. In 2026 the handle was lost with the cancelled call.
    expect(link() === first).toBe(kind !== 'SDK 2.x in 2026');
    await client.close();
  });
});

describe.each(ERAS)('clients without elicitation in %s', (era) => {
  it('get a login that completed in the meantime from their next call', async () => {
    const client = await clientOf(era);
    await new Browser().logIn(await startLogin(client), 'alice');
    expect((await client.call('login')).structured).toMatchObject({ account: { subject: 'alice' } });
  });

  it('get the same link until it expires, then another one', async () => {
    await notes.close();
    const clock = new VirtualClock();
    notes = await startInProcessNotes({ lifetimes: { loginAttemptMs: 20_000 }, runtime: { clock } });
    const client = await clientOf(era);
    const over = notes.next(({ type }) => type === 'login.failed');
    const link = await startLogin(client);
    await clock.advance(19_000);
    expect(await startLogin(client)).toBe(link);
    await clock.advance(20_000);
    expect(await over).toMatchObject({ failure: 'expired' });
    const next = era === '2025' ? client : await clientOf(era);
    expect(await startLogin(next)).not.toBe(link);
  });

  it('can log in two users in one browser at the same time [security 8, 11]', async () => {
    const [one, other] = [await clientOf(era), await clientOf(era)];
    const browser = new StepBrowser();
    const [atProvider, otherAtProvider] = [
      await browser.consent(await startLogin(one)),
      await browser.consent(await startLogin(other)),
    ];
    const otherCallback = await browser.authorize(otherAtProvider, { username: 'bob', password: 'any' });
    const callback = await browser.authorize(atProvider, { username: 'alice', password: 'any' });
    for (const back of [otherCallback, callback])
      expect(locationOf(await browser.request(back), back).pathname).toBe('/login/done');
    expect((await one.call('login')).structured).toMatchObject({ account: { subject: 'alice' } });
    expect((await other.call('login')).structured).toMatchObject({ account: { subject: 'bob' } });
  });
});
