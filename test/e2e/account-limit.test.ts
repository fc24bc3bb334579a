import { afterAll, beforeAll, expect, it } from 'vitest';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { client2026, connect2025, logIn, type RawClient } from '../support/raw-mcp.js';

let notes: InProcessNotes;
beforeAll(async () => {
  notes = await startInProcessNotes({ limits: { sessionsPerAccount: 2 } });
});
afterAll(() => notes.close());

const eras = {
  '2025': (): Promise<RawClient> => connect2025(notes.mcp),
  '2026': async (): Promise<RawClient> => client2026(notes.mcp),
};

/** Logs in one time too many. @returns the sessions of the account, the oldest first, and one of another account */
async function exceedAccountLimit(era: keyof typeof eras) {
  const connected = async (user: string) => logIn(await eras[era](), new Browser(), user);
  const neighbour = await connected(`neighbour-${era}`);
  const evicted = notes.next((event) => 'reason' in event && event.reason === 'account_cap');
  const clients: RawClient[] = [];
  for (let times = 0; times < 3; times++) clients.push(await connected(`frequent-${era}`));
  await evicted;
  return { clients, neighbour };
}

it('a login above the account limit signs out the oldest session of the account, which reports the reason [security 34, 39]', async () => {
  const { clients, neighbour } = await exceedAccountLimit('2025');
  const [first, ...others] = clients;
  const status = await first?.call('session_status');
  expect(status).toMatchObject({
    structured: { state: 'anonymous', signedOut: 'account_cap', accounts: [] },
  });
  expect(status?.structured.next).toMatch(/too many other sessions since\. Call `login` to log in again/);
  for (const client of [...others, neighbour])
    expect(await client.call('whoami')).toMatchObject({ isError: false });
});

it('a login above the account limit ends the oldest handle of the account in 2026 [security 34, 39]', async () => {
  const { clients, neighbour } = await exceedAccountLimit('2026');
  const [first, ...others] = clients;
  const refused = await first?.call('whoami');
  expect(refused?.isError).toBe(true);
  expect(refused?.text).toMatch(
    /has ended: its user has logged in to too many other sessions\. Call `login`/,
  );
  for (const client of [...others, neighbour])
    expect(await client.call('whoami')).toMatchObject({ isError: false });
});
