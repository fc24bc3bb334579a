import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Provider } from '../../packages/sessions/src/provider/provider.js';
import { providerSettings } from '../../packages/sessions/src/provider/provider-settings.js';
import type { SessionSnapshot } from '../../packages/sessions/src/session/session-record.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { Secret } from '../../packages/sessions/src/vault/secret.js';
import {
  type IdentityProviderProcess,
  startIdentityProviderProcess,
} from '../support/identity-provider-process.js';
import { SessionBench } from '../support/session-bench.js';
import { StepBrowser } from '../support/step-browser.js';

/** The number of simultaneous calls in every session. */
const CALLS = 5;
const TOKEN_SECONDS = 3600;
const DAY_MS = 24 * 60 * 60 * 1000;
const REDIRECT_URI = new URL('http://127.0.0.1/callback');
/** The number of simultaneous logins. */
const BROWSERS = 10;

interface User {
  readonly snapshot: SessionSnapshot;
  /** A refresh token that has been used. */
  readonly firstRefreshToken: string;
}

/** Tests users who log in once, and whose access tokens expire that many times. */
export function describeRotation({ sessions, rounds }: { sessions: number; rounds: number }): void {
  /** The clock of the library. The provider has the system clock, for which the tokens do not expire. */
  const clock = new VirtualClock();
  /** The error responses of the token endpoint. */
  const refusals: string[] = [];
  let idp: IdentityProviderProcess;
  let provider: Provider;
  let bench: SessionBench;
  let users: User[];

  beforeAll(async () => {
    idp = await startIdentityProviderProcess({ accessTokenSeconds: TOKEN_SECONDS });
    const { serverEnvironment: environment } = idp;
    const settings = providerSettings({
      name: 'idp',
      issuer: idp.issuer,
      clientId: environment.MCP_SESSIONS_CLIENT_ID ?? '',
      clientSecret: environment.MCP_SESSIONS_CLIENT_SECRET,
      scopes: environment.MCP_SESSIONS_SCOPES?.split(' '),
      authorizationParams: JSON.parse(environment.MCP_SESSIONS_AUTHORIZATION_PARAMS ?? '{}'),
    });
    provider = new Provider(settings, {
      clock,
      fetch: async (...request) => {
        const response = await fetch(...request);
        if (!response.ok) refusals.push(`${response.status} ${await response.clone().text()}`);
        return response;
      },
      onError: () => undefined,
      report: () => undefined,
    });
    bench = new SessionBench({
      clock,
      scheduler: true,
      maxSessions: sessions,
      lifetimes: { idleMs: 10 * DAY_MS, absoluteMs: 10 * DAY_MS, connectionTtlMs: 10 * DAY_MS },
      refreshTokens: (_name, refreshToken, beforeSend) => provider.refresh(refreshToken, beforeSend),
      revokeTokens: (_name, tokens) => provider.revoke(tokens),
    });
    users = [];
    const work = async () => {
      while (started < sessions) users.push(await logIn(`user-${started++}`));
    };
    let started = 0;
    await Promise.all(Array.from({ length: BROWSERS }, work));
  });

  afterAll(() => idp.stop());

  /** A session whose user has just returned from the provider. */
  async function logIn(username: string): Promise<User> {
    const { record } = await bench.registry.start('connection', username);
    const snapshot = { ref: record.ref, epoch: record.epoch };
    const [state, nonce, codeVerifier] = [secret(), secret(), secret()];
    const checks = { state, nonce, codeVerifier };
    const atProvider = await provider.authorizationUrl(REDIRECT_URI, checks);
    const callback = await new StepBrowser().authorize(atProvider, { username, password: 'any' });
    const granted = await provider.exchange(callback, checks);
    const firstRefreshToken = granted.tokens.refreshToken?.reveal() ?? '';
    await bench.accounts.commitLogin(snapshot, 'idp', granted);
    return { snapshot, firstRefreshToken };
  }

  const secret = () => Secret.fromString(systemRandom(32).toString('base64url'));

  /** The tokens that simultaneous calls of a session get. */
  async function accessTokens({ snapshot }: User): Promise<string[]> {
    const calls = Array.from({ length: CALLS }, () => bench.accounts.accessToken(snapshot, 'idp'));
    return (await Promise.all(calls)).map(({ accessToken }) => accessToken.reveal());
  }

  /** Calls in every session at a time when every access token has expired. */
  async function callInEverySession(): Promise<string[][]> {
    clock.jump(TOKEN_SECONDS * 1000);
    const calls = Promise.all(users.map(accessTokens));
    await clock.advance(0);
    return calls;
  }

  // Each step continues from the one before.
  describe(`${sessions * rounds} refreshes at a provider with rotation and reuse detection`, () => {
    it('happen once for simultaneous calls [security 17, 19]', async () => {
      const seen = new Set<string>();
      for (let round = 0; round < rounds; round++) {
        const tokens = await callInEverySession();
        for (const ofSession of tokens) expect(new Set(ofSession).size).toBe(1);
        for (const ofSession of tokens) seen.add(ofSession[0] ?? '');
      }
      expect(seen.size).toBe(sessions * rounds);
      // Each login and each refresh issues an access token and a refresh token.
      await idp.issued.until(
        'the last token',
        ({ length }) => length >= 2 * sessions * (rounds + 1) || undefined,
      );
      expect(idp.issued.entries).toHaveLength(2 * sessions * (rounds + 1));
    });

    it('use no refresh token twice, and require no new login [security 19]', async () => {
      expect(refusals).toEqual([]);
      expect(bench.errors).toEqual([]);
      expect(bench.eventsOf('account.reauthentication_required')).toEqual([]);
      expect(bench.eventsOf('account.refresh_failed')).toEqual([]);
      const tokens = await Promise.all(users.map(accessTokens));
      const states = await Promise.all(tokens.map(([token = '']) => idp.introspect(token)));
      expect(states.filter(({ active }) => active)).toHaveLength(sessions);
    });

    it('would be detected by the provider if one were repeated', async () => {
      const [user] = users;
      const [token = ''] = await accessTokens(user!);
      const again = await provider.refresh(Secret.fromString(user!.firstRefreshToken));
      expect(again.kind).toBe('grant_revoked');
      expect(refusals).toEqual([expect.stringContaining('invalid_grant')]);
      expect((await idp.introspect(token)).active).toBe(false);
    });
  });
}
