import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ProviderOptions, Runtime } from '../../packages/sessions/src/index.js';
import { Play, type PlayedClient } from './provider-play.js';

class AuthorsError extends Error {}

/** Throws at one call, counted since `arm`. */
class Bomb {
  #left = Number.POSITIVE_INFINITY;
  readonly #call: number;

  constructor(call: number) {
    this.#call = call;
  }

  arm(): void {
    this.#left = this.#call;
  }

  get hasThrown(): boolean {
    return this.#left < 1;
  }

  tick(): void {
    if (--this.#left === 0) throw new AuthorsError('secret-text');
  }
}

interface Given {
  readonly options?: Partial<ProviderOptions>;
  readonly runtime?: (fetch: typeof globalThis.fetch) => Partial<Runtime>;
}

/** A server with what its author has given it. */
function playWith({ options, runtime = () => ({}) }: Given): Play {
  return new Play(
    { idTokens: true },
    (own) => ({ ...own, deviceFlow: 'allowed', identitySource: 'user_info', ...options }),
    { runtimeOf: (provider) => runtime(provider.fetch) },
  );
}

const stateOf = async (client: PlayedClient) => (await client.status()).state;
const linesAbout = ({ log }: Play, name: string) =>
  log.filter((entry) => JSON.stringify(entry).includes(`"name":"${name}"`));

async function expectFailed(at: Play, client: PlayedClient): Promise<void> {
  expect(at.log.filter(({ event }) => event === 'login.failed')).toMatchObject([
    { failure: 'internal_error' },
  ]);
  expect(linesAbout(at, 'Error')).toHaveLength(1);
  const { text } = await client.call('login');
  expect(text).toContain(
    'The login failed because of an internal error of this server. Call `login` to try again.',
  );
  expect(JSON.stringify([at.log, at.events])).not.toContain('secret-text');
}

async function expectLogin(client: PlayedClient): Promise<void> {
  expect((await client.logIn('alice')).answer.structured).toMatchObject({ status: 'authenticated' });
}

describe('an error that the random source throws during a login', () => {
  const random = (bomb: Bomb) => ({
    runtime: () => ({
      random: (size: number) => {
        bomb.tick();
        return randomBytes(size);
      },
    }),
  });

  it('ends the login, or leaves the link as it was, at whatever call', async () => {
    const seen = { failed: 0, continued: 0 };
    for (let call = 1; ; call++) {
      const bomb = new Bomb(call);
      const at = playWith(random(bomb));
      const client = await at.connect('2025');
      const { loginUrl } = (await client.call('login')).structured ?? {};
      bomb.arm();
      const page = await at.browse(loginUrl, 'alice');
      if (!bomb.hasThrown) break;
      if ((await stateOf(client)) === 'pending') {
        // The page of the link was not shown.
        seen.continued++;
        expect(await at.browse(loginUrl, 'alice')).toBeUndefined();
      } else {
        seen.failed++;
        expect(page).toMatch(/Login failed.*because of an internal error/s);
        await expectFailed(at, client);
        await expectLogin(client);
      }
      expect(await stateOf(client)).toBe('authenticated');
    }
    expect(seen.failed).toBeGreaterThanOrEqual(3);
  });

  it('ends a login with the device flow, or leaves it to the next poll', async () => {
    let failed = 0;
    for (let call = 1; ; call++) {
      const bomb = new Bomb(call);
      const at = playWith(random(bomb));
      const client = await at.connect('2025');
      await client.call('login', { flow: 'device' });
      at.provider.approve('CODE-1', 'alice');
      bomb.arm();
      await at.clock.advance(6000);
      if (!bomb.hasThrown) break;
      failed++;
      expect(await stateOf(client)).toBe('anonymous');
      await expectFailed(at, client);
    }
    expect(failed).toBeGreaterThanOrEqual(1);
  });
});

describe('an error that `fetch` throws during a login', () => {
  it.each<[string, () => unknown]>([
    [
      'at once',
      () => {
        throw new AuthorsError('secret-text');
      },
    ],
    ['as a text', () => Promise.reject('secret-text')],
    ['later', () => Promise.reject(new AuthorsError('secret-text'))],
    ['by its answer, which is no response', () => Promise.resolve({ secret: 'secret-text' })],
    ['by no answer', () => undefined],
  ])('ends the login at whatever request: %s', async (_how, fail) => {
    for (const path of ['/.well-known/', '/token', '/userinfo', '/device']) {
      let isBroken = true;
      const at = playWith({
        runtime: (fetch) => ({
          fetch: (input, init) =>
            isBroken && new URL(String(input)).pathname.startsWith(path)
              ? (fail() as Promise<Response>)
              : fetch(input, init),
        }),
      });
      const client = await at.connect('2025');
      const { answer } = await client.logIn('alice', path === '/device' ? { flow: 'device' } : {});
      expect(answer.isError, path).toBe(true);
      expect(await stateOf(client), path).toBe('anonymous');
      expect(at.failures, path).toHaveLength(1);
      expect(JSON.stringify([at.log, at.events, answer])).not.toContain('secret-text');
      isBroken = false;
      await at.clock.advance(2000);
      await expectLogin(client);
    }
  });
});

describe('what the author gives beside that', () => {
  const fail = () => {
    throw new AuthorsError('secret-text');
  };
  const reject = () => Promise.reject(new AuthorsError('secret-text'));

  it.each([
    ['throws', fail],
    ['rejects', reject],
  ])('does not disturb a login if a listener %s at every event', async (_how, listener) => {
    const at = playWith({});
    at.sessions.onEvent(listener);
    const client = await at.connect('2025');
    await expectLogin(client);
    expect(await client.who()).toBe('200 alice {}');
    expect(linesAbout(at, 'Error').length).toBeGreaterThan(0);
    expect(JSON.stringify(at.log)).not.toContain('secret-text');
  });

  it.each([
    ['throws', fail],
    ['rejects', reject],
  ])('does not disturb a logout if `revoke` %s', async (_how, revoke) => {
    const at = playWith({ options: { revoke } });
    const client = await at.connect('2025');
    await expectLogin(client);
    expect((await client.call('logout')).structured).toMatchObject({
      accounts: [{ revocation: 'unconfirmed' }],
    });
    expect(await stateOf(client)).toBe('anonymous');
    expect(at.failures).toMatchObject([{ reason: 'revoke_failed', code: 'AuthorsError', setting: 'revoke' }]);
  });

  it('ends no login in a pending state if `revoke` throws after a failed login', async () => {
    const at = playWith({ options: { revoke: fail } });
    at.provider.failNext('userinfo', { status: 404 });
    const client = await at.connect('2025');
    expect((await client.logIn('alice')).page).toContain('user info');
    expect(await stateOf(client)).toBe('anonymous');
    await expect
      .poll(() => at.failures)
      .toMatchObject([{ reason: 'user_info_failed' }, { reason: 'revoke_failed' }]);
  });

  it('names a `clientKey` that does not fit its algorithm, and starts no login', async () => {
    const clientKey = { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', d: 'AA', alg: 'ES256' };
    const at = playWith({ options: { clientKey } });
    const client = await at.connect('2025');
    expect((await client.call('login')).isError).toBe(true);
    expect(await stateOf(client)).toBe('anonymous');
    expect(at.failures).toMatchObject([{ reason: 'client_key_invalid', setting: 'clientKey' }]);
    const { checks } = (await at.sessions.checkProviders())[0] ?? {};
    expect(checks).toMatchObject([{ check: 'configuration', result: 'failed', setting: 'clientKey' }]);
  });
});
