import { describe, expect, it, onTestFinished } from 'vitest';
import { createSessions } from '../../packages/sessions/src/index.js';
import {
  FaultingProvider,
  logIn,
  type QuirkName,
  VirtualClock,
} from '../../packages/sessions/src/testing/index.js';
import { inMemory2025, inMemory2026, reachedFrom } from '../support/in-memory-client.js';
import { ERAS, type Era, named } from '../support/transcribed-server.js';

const SECOND = 1000;

/** A client of alice, whose grant has ended at a provider that says so in its own way. The refresh is due. */
async function endedGrant(era: Era, quirk: QuirkName) {
  const clock = new VirtualClock();
  const provider = new FaultingProvider({ quirks: [quirk], clientSecret: 'secret', clock });
  const sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    publicUrl: 'http://127.0.0.1:3000',
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch, clock },
    tools: () => undefined,
  });
  onTestFinished(() => sessions.close());
  const here = reachedFrom(sessions, '127.0.0.1');
  const client = await (era === '2025' ? inMemory2025(here) : inMemory2026(here));
  let session: Record<string, unknown> = {};
  const call = async (tool: string) => {
    const { structured } = await client.call(tool, session);
    session = { ...session, ...named(structured ?? {}) };
    return structured;
  };
  const { loginUrl } = await call('login');
  await logIn(here, loginUrl, { provider, user: 'alice' });
  expect(await call('login')).toMatchObject({ status: 'authenticated' });
  provider.endGrant('alice');
  const before = provider.requests.token;
  while (provider.requests.token === before) await clock.advance(SECOND);
  return { clock, provider, call, before };
}

describe.each(ERAS)('a grant that has ended at the provider (%s)', (era) => {
  it.each<QuirkName>([
    'dead_as_unauthorized_client',
    'dead_as_invalid_request',
    'dead_as_strava_errors',
    'dead_as_invalid_code_200',
    'dead_as_hubspot_status',
    'dead_as_slack_ok_false',
    'dead_as_x_invalid_request',
    'dead_as_session_not_found',
    'dead_as_bad_refresh_token_200',
  ])('ends the login after one request: %s [security 21]', async (quirk) => {
    const { clock, provider, call, before } = await endedGrant(era, quirk);
    await clock.advance(60 * SECOND);
    expect(provider.requests.token - before).toBe(1);
    expect(await call('session_status')).toMatchObject({
      state: 'reauthentication_required',
      accounts: [{ reason: 'grant_revoked' }],
    });
    expect(await call('login')).toMatchObject({ status: 'pending', loginUrl: expect.any(String) });
  });

  it.each<QuirkName>(['dead_as_empty_401', 'dead_as_unknown_name', 'client_broken'])(
    'whose answer is not known causes two requests in a minute, and a login when the token has expired: %s',
    async (quirk) => {
      const { clock, provider, call, before } = await endedGrant(era, quirk);
      expect(await call('session_status')).toMatchObject({ accounts: [{ reason: 'provider_refused' }] });
      await clock.advance(59 * SECOND);
      expect(provider.requests.token - before).toBeLessThanOrEqual(2);
      await clock.advance(600 * SECOND);
      expect(await call('session_status')).toMatchObject({ state: 'expired' });
      expect(await call('login')).toMatchObject({ status: 'pending', loginUrl: expect.any(String) });
    },
  );
});
