import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { ManualClock } from '../support/manual-clock.js';
import { client2026, connect2025, type RawWay, startLogin } from '../support/raw-mcp.js';
import { StepBrowser } from '../support/step-browser.js';

const USERS = 500;
const AT_ONCE = 20;
const OFFICE: RawWay = { headers: { 'x-forwarded-for': '203.0.113.50' } };

let notes: InProcessNotes;
beforeAll(async () => {
  // The clock does not move, so that all logins are in the same minute.
  const runtime = { clock: new ManualClock() };
  notes = await startInProcessNotes({ access: 'open-to-network', trustedProxies: ['127.0.0.1'], runtime });
});
afterAll(() => notes.close());

/** A complete login from the shared address, with one page loaded twice. @returns the user of the session */
async function logIn(index: number): Promise<unknown> {
  const client =
    index % 2 === 0 ? await connect2025(notes.mcp, OFFICE) : client2026(notes.mcp, undefined, OFFICE);
  const browser = new StepBrowser(undefined, OFFICE.headers);
  const link = await startLogin(client);
  await browser.openConnectPage(link);
  const callback = await browser.logInUntilCallback(link, `user-${index}`);
  const back = await browser.request(callback);
  expect(back.status).toBe(303);
  const page = await browser.request(new URL(back.headers.location ?? '', callback));
  const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)?.[0];
  await client.call('login', { code });
  return (await client.call('whoami')).structured.subject;
}

describe('500 users behind one address', () => {
  it('can log in within a minute with the default limits [security 39, 41]', async () => {
    const users = Array.from({ length: USERS }, (_, index) => index);
    const subjects: unknown[] = [];
    const workers = Array.from({ length: AT_ONCE }, async () => {
      for (let index = users.pop(); index !== undefined; index = users.pop())
        subjects.push(await logIn(index));
    });
    await Promise.all(workers);
    expect(new Set(subjects).size).toBe(USERS);
  });
});
