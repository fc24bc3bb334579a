import { describe, expect, it } from 'vitest';
import { QUIRKS } from '../../packages/sessions/src/testing/index.js';
import { ERAS, type Era } from '../support/transcribed-server.js';
import { Play, type PlayedClient } from './provider-play.js';
import { type ProviderRow, ROWS, type SeenFailure } from './provider-rows.js';

type RowOf<Then extends ProviderRow['plays']> = Extract<ProviderRow, { plays: Then }>;

/** Access tokens live for 600 s and are refreshed before. */
const LIFETIME_MS = 600_000;

const play = (row: ProviderRow, withoutSettings = false): Play =>
  new Play({ quirks: row.quirks, ...(withoutSettings && { withoutSettings }), ...row.provider }, (own) => ({
    ...own,
    ...row.options,
  }));

async function loggedIn(at: Play, era: Era): Promise<PlayedClient> {
  const client = await at.connect(era);
  const { page, answer } = await client.logIn('alice');
  expect(page).toBeUndefined();
  expect(answer.structured).toMatchObject({ status: 'authenticated', account: { subject: 'alice' } });
  return client;
}

/** Nothing that the log says without a secret can be a token of this run. */
function expectNoSecrets(at: Play): void {
  expect(JSON.stringify([at.log, at.events])).not.toMatch(/access\.alice|refresh\.alice|verifier=/);
}

/** Reasons of the pages that `check` gets to without a user. */
const CHECKED_WITH_PAGE: ReadonlySet<unknown> = new Set(['client_rejected', 'authorization_error']);

async function expectFailure(at: Play, era: Era, seen: SeenFailure): Promise<void> {
  const client = await at.connect(era);
  const { page, answer } = await client.logIn('alice');
  if (seen.page) expect(page).toMatch(seen.page);
  else expect(page).toBeUndefined();
  expect(answer).toMatchObject({ isError: true, text: expect.stringMatching(seen.login) });
  expect(at.failures).toHaveLength(1);
  for (const [name, value] of Object.entries(seen.log)) {
    const expected = value instanceof RegExp ? expect.stringMatching(value) : value;
    expect(at.failures[0]).toMatchObject({ [name]: expected });
  }
  expect(JSON.stringify(await client.status())).not.toMatch(/"pending"/);
  // What follows a consent, only a login shows.
  if (!seen.page || CHECKED_WITH_PAGE.has(seen.log.reason)) await expectCheckFails(at);
  else await expectCheckHints(at, seen.hint);
  expectNoSecrets(at);
}

/** `check` names the cause and the setting that the log names. */
async function expectCheckFails(at: Play): Promise<void> {
  const { reason, setting } = at.failures[0] ?? {};
  const [report] = await at.sessions.checkProviders();
  const failed = report?.checks.filter(({ result }) => result === 'failed');
  expect(failed).toMatchObject([{ setting, failure: { reason }, advice: expect.stringMatching(/\.$/) }]);
}

/** Before a login, `check` finds no failure, and may name a setting of what only a login shows. */
async function expectCheckHints(at: Play, setting: string | undefined): Promise<void> {
  const [report] = await at.sessions.checkProviders();
  expect(report?.ok).toBe(true);
  if (setting !== undefined)
    expect(report?.checks).toContainEqual(expect.objectContaining({ result: 'unknown', setting }));
}

const PLAYS: { [Then in ProviderRow['plays']]: (row: RowOf<Then>, era: Era) => Promise<void> } = {
  async 'login works'(row, era) {
    const at = play(row);
    const client = await loggedIn(at, era);
    const works = `200 alice ${JSON.stringify(row.fields ?? {})}`;
    expect(await client.who(row.api)).toBe(works);
    if (!row.quirks.includes('no_expires_in')) await expectRefresh(at, client);
    expect(await client.who(row.api)).toBe(works);
    expect(await client.status()).toMatchObject({
      state: 'authenticated',
      next: expect.stringMatching(/^Nothing\./),
    });
    expect((await client.call('logout')).structured).toMatchObject({
      accounts: [{ revocation: 'confirmed' }],
    });
    expect(at.provider.livingUsers()).toEqual([]);
    expect(at.failures).toEqual([]);
    const [report] = await at.sessions.checkProviders();
    expect(report?.checks.filter(({ result }) => result === 'failed')).toEqual([]);
    if (row.unset) await expectFailure(play(row, true), era, row.unset);
  },

  async 'login fails'(row, era) {
    await expectFailure(play(row), era, row.seen);
  },

  async 'grant ends'(row, era) {
    const at = play(row);
    const client = await loggedIn(at, era);
    at.provider.endGrant('alice');
    await at.clock.advance(LIFETIME_MS + 1000);
    const before = at.provider.requests.token;
    await at.clock.advance(25_000);
    expect(at.provider.requests.token - before).toBeLessThanOrEqual(2);
    expect(await client.who()).toMatch(/`login` tool with provider "provider"/);
    expect(await client.status()).toMatchObject({
      state: row.state,
      next: expect.stringMatching(/Call `login` with provider "provider" to log in again/),
    });
    await expectNewLogin(at, client);
    expect(at.provider.livingUsers()).toEqual(['alice']);
    expect(at.log).toContainEqual(
      expect.objectContaining(
        row.state === 'expired'
          ? { event: 'provider.failed', step: 'refresh', outcome: 'refused', setting: expect.any(String) }
          : { event: 'account.reauthentication_required', failureReason: 'grant_revoked' },
      ),
    );
  },

  async 'client is rejected at refreshes'(row, era) {
    const at = play(row);
    const client = await loggedIn(at, era);
    await at.clock.advance(LIFETIME_MS + 1000);
    expect(await client.who()).toMatch(/`login` tool with provider "provider"/);
    expect(await client.status()).toMatchObject({
      state: 'expired',
      next: expect.stringMatching(/Call `login`/),
    });
    // The refresh token is kept until the new login has succeeded.
    expect(at.provider.livingUsers()).toEqual(['alice']);
    await expectNewLogin(at, client);
    expect(at.provider.livingUsers()).toEqual(['alice']);
    expect(at.failures[0]).toMatchObject({
      reason: 'client_rejected',
      step: 'refresh',
      setting: expect.stringMatching(/clientSecret/),
    });
  },

  async maintenance(row, era) {
    const at = play(row);
    const client = await loggedIn(at, era);
    at.provider.startMaintenance();
    await at.clock.advance(LIFETIME_MS);
    expect(await client.who()).toMatch(/again in \d+ seconds, or call the `login` tool/);
    expect((await client.status()).next).toMatch(/The next try is in \d+ seconds\. Call `login`/);
    at.provider.mend();
    await at.clock.advance(10 * 60_000);
    expect(await client.who()).toBe('200 alice {}');
    expect(at.provider.livingUsers()).toEqual(['alice']);
    expect(at.provider.reuses).toBe(0);
  },

  async 'refresh token expires first'(row, era) {
    const at = play(row);
    const client = await loggedIn(at, era);
    for (let times = 0; times < 4; times++) {
      await at.clock.advance(LIFETIME_MS / 2);
      expect(await client.who()).toBe('200 alice {}');
    }
    expect(await client.status()).toMatchObject({ state: 'authenticated' });
  },

  async 'no refresh token'(row, era) {
    const at = play(row);
    const client = await loggedIn(at, era);
    await at.clock.advance(LIFETIME_MS / 2);
    expect((await client.status()).next).toMatch(/valid for \d+ more seconds and cannot be refreshed/);
    await at.clock.advance(LIFETIME_MS);
    expect(await client.who()).toMatch(/`login` tool with provider "provider"/);
    await expectNewLogin(at, client);
    expect((await client.call('logout')).structured).toMatchObject({
      accounts: [{ revocation: 'unsupported' }],
    });
  },

  async 'scopes unticked'(row, era) {
    const at = play(row);
    const client = await loggedIn(at, era);
    const status = await client.status();
    expect(status).toMatchObject({
      accounts: [{ scopes: ['profile'], refusedScopes: ['calendar.read'] }],
      next: expect.stringMatching(/did not grant \["calendar\.read"\].*and renew: true to ask again/),
    });
    const { page, answer } = await client.logIn('alice', { renew: true });
    expect(page).toBeUndefined();
    expect(answer.structured).toMatchObject({ status: 'authenticated' });
    const [account] = (await client.status()).accounts as readonly Record<string, unknown>[];
    expect(account).toMatchObject({ scopes: ['profile', 'calendar.read'] });
    expect(account).not.toHaveProperty('refusedScopes');
  },

  async 'api demands'(row, era) {
    const at = play(row);
    const client = await loggedIn(at, era);
    expect(await client.who()).toMatch(
      /Call the `login` tool with provider "provider", then repeat this call\./,
    );
    const { page, answer } = await client.logIn('alice');
    expect(page).toBeUndefined();
    expect(answer.structured).toMatchObject({ status: 'authenticated' });
    expect(await client.who()).toBe('200 alice {}');
    expect(at.provider.livingUsers()).toEqual(['alice']);
  },

  async 'api rejects the dead token'(row, era) {
    const at = play(row);
    const client = await loggedIn(at, era);
    at.provider.endGrant('alice');
    expect(await client.who()).toBe('403 Forbidden {}');
    expect((await client.call('rejected')).text).toMatch(/`login` tool with provider "provider"/);
    await expectNewLogin(at, client);
  },

  async 'logout leaves other sessions'(row, era) {
    const at = play(row);
    const [first, second] = [await loggedIn(at, era), await loggedIn(at, era)];
    expect((await first.call('logout')).structured).toMatchObject({ accounts: [{ revocation: 'deferred' }] });
    await at.clock.advance(LIFETIME_MS);
    expect(await second.who()).toBe('200 alice {}');
    expect((await second.call('logout')).structured).toMatchObject({
      accounts: [{ revocation: 'confirmed' }],
    });
    expect(at.provider.livingUsers()).toEqual([]);
  },

  async 'failed login leaves other sessions'(row, era) {
    const at = play(row);
    const first = await loggedIn(at, era);
    at.provider.failNext('token', async (response) => {
      const answer = await response.json();
      return Response.json({ ...answer, id_token: 'not.a.token' });
    });
    const { page } = await (await at.connect(era)).logIn('alice');
    expect(page).toMatch(/ID token/);
    await at.clock.advance(LIFETIME_MS);
    expect(await first.who()).toBe('200 alice {}');
  },
};

/** Signatures take real time, in which the clock has to stand still. */
async function expectRefresh(at: Play, client: PlayedClient): Promise<void> {
  const [account] = (await client.status()).accounts as readonly Record<string, unknown>[];
  await at.clock.advance((Number(account?.nextRefreshInSeconds) + 1) * 1000);
  await expect
    .poll(() => at.events.filter(({ type }) => type.startsWith('account.refresh')).map(({ type }) => type))
    .toEqual(['account.refreshed']);
  await at.clock.advance(LIFETIME_MS / 2);
}

/** The login that a client can start after its tokens have become useless. */
async function expectNewLogin(at: Play, client: PlayedClient): Promise<void> {
  const { page, answer } = await client.logIn('alice');
  expect(page).toBeUndefined();
  expect(answer.structured).toMatchObject({ status: 'authenticated' });
  expect(await client.who()).toBe('200 alice {}');
  expect(await client.status()).toMatchObject({ state: 'authenticated' });
  expectNoSecrets(at);
}

const run = <Then extends ProviderRow['plays']>(row: RowOf<Then>, era: Era): Promise<void> =>
  PLAYS[row.plays as Then](row, era);

describe.each(ERAS)('what real providers answer (%s)', (era) => {
  it.each(ROWS.map((row) => [row.row, row.quirks.join(', '), row] as const))(
    '%s (%s)',
    (_what, _quirks, row) => run(row, era),
  );
});

describe('the rows', () => {
  it('play every quirk', () => {
    const played = new Set(ROWS.flatMap(({ quirks }) => quirks));
    expect(Object.keys(QUIRKS).filter((name) => !played.has(name as never))).toEqual([]);
  });
});
