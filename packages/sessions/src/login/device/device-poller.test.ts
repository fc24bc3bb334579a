import { afterEach, describe, expect, it } from 'vitest';
import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import { Provider } from '../../provider/provider.js';
import { providerSettings } from '../../provider/provider-options.js';
import type { LoginFailure } from '../../session/session-events.js';
import { FaultingProvider, VirtualClock } from '../../testing/index.js';
import { Deadlines } from '../../time/deadlines.js';
import { DevicePoller } from './device-poller.js';

const slowDown = { status: 400, body: '{"error":"slow_down"}' };

async function begin(change: (upstream: FaultingProvider) => void = () => undefined) {
  const clock = new VirtualClock();
  const upstream = new FaultingProvider();
  change(upstream);
  const settings = providerSettings({ ...upstream.options, deviceFlow: 'allowed' });
  const granted: GrantedTokens[] = [];
  const failures: LoginFailure[] = [];
  const login = new DevicePoller({
    provider: new Provider(settings, clock, upstream.fetch),
    scopes: settings.scopes,
    clock,
    deadlines: new Deadlines(clock, () => undefined),
    onGranted: (tokens) => granted.push(tokens),
    onFailure: (failure) => {
      failures.push(failure);
      login.stop();
    },
  });
  await login.start();
  return { clock, upstream, login, granted, failures };
}

/** How many polls there are within so many seconds. */
async function polls({ clock, upstream }: Awaited<ReturnType<typeof begin>>, seconds: number) {
  const before = upstream.requests.token;
  await clock.advance(seconds * 1000);
  return upstream.requests.token - before;
}

describe('a login by the device flow', () => {
  const open: DevicePoller[] = [];
  afterEach(() => {
    for (const login of open.splice(0)) login.stop();
  });
  const started: typeof begin = async (change) => {
    const parts = await begin(change);
    open.push(parts.login);
    return parts;
  };

  it('has a code for the user, and brings tokens once they have approved', async () => {
    const parts = await started();
    const { clock, upstream, login, granted } = parts;
    expect(login).toMatchObject({ userCode: 'CODE-1', verificationUri: 'https://provider.test/device' });
    expect(await polls(parts, 12)).toBe(2);
    upstream.approve('CODE-1', 'alice');
    await clock.advance(3000);
    expect(granted).toMatchObject([{ identity: { subject: 'alice' } }]);
    expect(await polls(parts, 60)).toBe(0);
  });

  it('polls no sooner than the provider wants, and every five seconds if it does not say', async () => {
    const slow = await started((upstream) => {
      upstream.pollSeconds = 20;
    });
    expect(await polls(slow, 19.9)).toBe(0);
    expect(await polls(slow, 40.2)).toBe(3);
    const silent = await started((upstream) => {
      upstream.pollSeconds = undefined;
    });
    expect(await polls(silent, 4.9)).toBe(0);
    expect(await polls(silent, 5.2)).toBe(2);
  });

  it('slows down by five seconds each time that it is told to, and stays so', async () => {
    const parts = await started();
    parts.upstream.failNext('token', slowDown);
    expect(await polls(parts, 5)).toBe(1);
    expect(await polls(parts, 9.9)).toBe(0);
    parts.upstream.failNext('token', { status: 429 });
    expect(await polls(parts, 0.2)).toBe(1);
    expect(await polls(parts, 14.8)).toBe(0);
    expect(await polls(parts, 30.4)).toBe(3);
  });

  it('backs off while the network fails or the provider does, and is as quick as before when it answers', async () => {
    const parts = await started();
    for (const fault of ['refused', 'lost', { status: 503 }] as const)
      parts.upstream.failNext('token', fault);
    // After 5, 15 and 35 seconds they fail, after 75 and 80 there are answers.
    const counts: number[] = [];
    for (const seconds of [5.1, 10.1, 20.1, 40.1, 5.1]) counts.push(await polls(parts, seconds));
    expect(counts).toEqual([1, 1, 1, 1, 1]);
    expect(parts.failures).toEqual([]);
  });

  it('comes back no sooner than a provider that is busy asks', async () => {
    const parts = await started();
    parts.upstream.failNext('token', { status: 503, retryAfterSeconds: 120 });
    expect(await polls(parts, 5)).toBe(1);
    expect(await polls(parts, 119.9)).toBe(0);
    expect(await polls(parts, 0.3)).toBe(1);
  });

  it.each([
    ['deny', 'declined'],
    ['expire', 'expired'],
  ] as const)('ends when the provider says so: %s', async (decide, failure) => {
    const parts = await started();
    parts.upstream[decide]('CODE-1');
    await parts.clock.advance(5000);
    expect(parts.failures).toEqual([failure]);
    expect(await polls(parts, 60)).toBe(0);
  });

  it('ends when its code is too old, whether or not the provider says so', async () => {
    const parts = await started((upstream) => {
      upstream.userCodeSeconds = 12;
    });
    await parts.clock.advance(12_100);
    expect(parts.failures).toEqual(['expired']);
    expect(parts.upstream.requests.token).toBe(2);
  });

  it('ends when the provider refuses', async () => {
    const parts = await started();
    parts.upstream.failNext('token', { status: 400, body: '{"error":"invalid_grant"}' });
    await parts.clock.advance(5000);
    expect(parts.failures).toEqual(['provider_refused']);
  });

  it('has one poll at a time under way', async () => {
    const parts = await started();
    let answer: (response: Response) => void = () => undefined;
    parts.upstream.failNext('token', () => new Promise((resolve) => (answer = resolve)));
    expect(await polls(parts, 9)).toBe(1);
    answer(Response.json({ error: 'authorization_pending' }, { status: 400 }));
    expect(await polls(parts, 4.9)).toBe(0);
    expect(await polls(parts, 0.2)).toBe(1);
  });

  it('stops at once, hands over what a poll under way still brings, and leaves no timer behind', async () => {
    const parts = await started();
    const { clock, upstream, login, granted } = parts;
    let letGo = () => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    upstream.approve('CODE-1', 'alice');
    upstream.failNext('token', async (response) => {
      await held;
      return response;
    });
    await clock.advance(5000);
    login.stop();
    letGo();
    await clock.advance(0);
    expect(granted).toMatchObject([{ identity: { subject: 'alice' } }]);
    expect(await polls(parts, 600)).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it('that is stopped before it has its code never polls', async () => {
    const clock = new VirtualClock();
    const upstream = new FaultingProvider();
    const settings = providerSettings({ ...upstream.options, deviceFlow: 'only' });
    const login = new DevicePoller({
      provider: new Provider(settings, clock, upstream.fetch),
      scopes: settings.scopes,
      clock,
      deadlines: new Deadlines(clock, () => undefined),
      onGranted: () => undefined,
      onFailure: () => undefined,
    });
    const beginning = login.start();
    login.stop();
    await beginning;
    await clock.advance(60_000);
    expect(upstream.requests).toMatchObject({ device: 1, token: 0 });
  });

  it('whose provider gives out no code says why', async () => {
    const unavailable = { code: 'provider_unavailable' };
    const refused = { code: 'provider_refused' };
    const odd = {
      device_code: 'd',
      user_code: 'A',
      verification_uri: 'http://elsewhere.test',
      expires_in: 60,
    };
    const answers = [
      ['refused', unavailable],
      [{ status: 503 }, unavailable],
      [{ status: 400, body: '{"error":"unauthorized_client"}' }, refused],
      [() => Response.json(odd), refused],
      [() => Response.json({ ...odd, verification_uri: 'https://x.test', user_code: '<b>' }), refused],
    ] as const;
    for (const [fault, error] of answers) {
      await expect(begin((upstream) => upstream.failNext('device', fault))).rejects.toMatchObject(error);
    }
  });
});
