import { afterEach, describe, expect, it } from 'vitest';
import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import { Provider } from '../../provider/provider.js';
import { providerSettings } from '../../provider/provider-settings.js';
import type { LoginFailure } from '../../session/session-events.js';
import { FaultingProvider, VirtualClock } from '../../testing/index.js';
import { Deadlines } from '../../time/deadlines.js';
import { DevicePoller } from './device-poller.js';

const slowDown = { status: 400, body: '{"error":"slow_down"}' };
const SCOPES = ['openid', 'notes'];

async function startPoller(change: (upstream: FaultingProvider) => void = () => undefined) {
  const clock = new VirtualClock();
  const upstream = new FaultingProvider();
  change(upstream);
  const settings = providerSettings({ ...upstream.options, deviceFlow: 'allowed' });
  const granted: GrantedTokens[] = [];
  const failures: LoginFailure[] = [];
  const errors: unknown[] = [];
  const scopes: (string | null)[] = [];
  const fetch: typeof globalThis.fetch = (input, init) => {
    if (init?.body instanceof URLSearchParams) scopes.push(init.body.get('scope'));
    return upstream.fetch(input, init);
  };
  const poller = new DevicePoller({
    provider: new Provider(settings, { clock, fetch, onError: () => undefined, report: () => undefined }),
    request: { scopes: SCOPES },
    clock,
    deadlines: new Deadlines(clock, () => undefined),
    onGranted: async (tokens) => void granted.push(tokens),
    onError: (error) => {
      errors.push(error);
      poller.stop();
    },
    onFailure: (failure) => {
      failures.push(failure);
      poller.stop();
    },
  });
  await poller.start();
  return { clock, upstream, poller, granted, failures, errors, scopes };
}

/** Counts the polls within these seconds. */
async function polls({ clock, upstream }: Awaited<ReturnType<typeof startPoller>>, seconds: number) {
  const before = upstream.requests.token;
  await clock.advance(seconds * 1000);
  return upstream.requests.token - before;
}

describe('the device flow', () => {
  const open: Awaited<ReturnType<typeof startPoller>>[] = [];
  afterEach(() => {
    const errors = open.flatMap((parts) => parts.errors);
    for (const { poller } of open.splice(0)) poller.stop();
    expect(errors).toEqual([]);
  });
  const start: typeof startPoller = async (change) => {
    const parts = await startPoller(change);
    open.push(parts);
    return parts;
  };

  it('returns a user code, and tokens after the approval', async () => {
    const parts = await start();
    const { clock, upstream, poller, granted, scopes } = parts;
    expect(poller).toMatchObject({ userCode: 'CODE-1', verificationUri: 'https://provider.test/device' });
    expect(scopes).toEqual(['openid notes']);
    expect(await polls(parts, 12)).toBe(2);
    upstream.approve('CODE-1', 'alice');
    await clock.advance(3000);
    expect(granted).toMatchObject([{ identity: { subject: 'alice' }, scopes: SCOPES }]);
    expect(await polls(parts, 60)).toBe(0);
  });

  it('polls at the interval of the provider, by default every five seconds', async () => {
    const slow = await start((upstream) => {
      upstream.pollSeconds = 20;
    });
    expect(await polls(slow, 19.9)).toBe(0);
    expect(await polls(slow, 40.2)).toBe(3);
    const silent = await start((upstream) => {
      upstream.pollSeconds = undefined;
    });
    expect(await polls(silent, 4.9)).toBe(0);
    expect(await polls(silent, 5.2)).toBe(2);
  });

  it('increases the interval by five seconds at every slow_down', async () => {
    const parts = await start();
    parts.upstream.failNext('token', slowDown);
    expect(await polls(parts, 5)).toBe(1);
    expect(await polls(parts, 9.9)).toBe(0);
    parts.upstream.failNext('token', { status: 429 });
    expect(await polls(parts, 0.2)).toBe(1);
    expect(await polls(parts, 14.8)).toBe(0);
    expect(await polls(parts, 30.4)).toBe(3);
  });

  it('backs off while polls fail, and returns to its interval after a response', async () => {
    const parts = await start();
    for (const fault of ['refused', 'lost', { status: 503 }] as const)
      parts.upstream.failNext('token', fault);
    // The polls after 5, 15 and 35 seconds fail, those after 75 and 80 get a response.
    const counts: number[] = [];
    for (const seconds of [5.1, 10.1, 20.1, 40.1, 5.1]) counts.push(await polls(parts, seconds));
    expect(counts).toEqual([1, 1, 1, 1, 1]);
    expect(parts.failures).toEqual([]);
  });

  it.each([
    { status: 503 },
    { status: 429 },
    slowDown,
    { status: 400, body: '{"error":"authorization_pending"}' },
  ])('honours Retry-After: %j', async (answer) => {
    const parts = await start();
    parts.upstream.failNext('token', { ...answer, retryAfterSeconds: 120 });
    expect(await polls(parts, 5)).toBe(1);
    expect(await polls(parts, 119.9)).toBe(0);
    expect(await polls(parts, 0.3)).toBe(1);
  });

  it('takes a longer interval from slow_down, for all later polls', async () => {
    const parts = await start();
    parts.upstream.failNext('token', { status: 400, body: '{"error":"slow_down","interval":40}' });
    expect(await polls(parts, 5)).toBe(1);
    expect(await polls(parts, 39.9)).toBe(0);
    expect(await polls(parts, 0.2)).toBe(1);
    expect(await polls(parts, 39.8)).toBe(0);
  });

  it('ends after an approval whose user cannot be identified: its code is used up', async () => {
    const parts = await start();
    parts.upstream.failNext('userinfo', { status: 503 });
    parts.upstream.approve('CODE-1', 'alice');
    await parts.clock.advance(5000);
    expect(parts.errors.splice(0)).toMatchObject([
      { code: 'provider_unavailable', failure: { step: 'user_info' } },
    ]);
    expect(parts.upstream.livingUsers()).toEqual([]);
    expect(await polls(parts, 600)).toBe(0);
  });

  it.each([
    ['deny', 'declined'],
    ['expire', 'expired'],
  ] as const)('ends when the user or the provider ends it: %s', async (decide, failure) => {
    const parts = await start();
    parts.upstream[decide]('CODE-1');
    await parts.clock.advance(5000);
    expect(parts.failures).toEqual([failure]);
    expect(await polls(parts, 60)).toBe(0);
  });

  it('ends when its code expires, even without a response that says so', async () => {
    const parts = await start((upstream) => {
      upstream.userCodeSeconds = 12;
    });
    await parts.clock.advance(12_100);
    expect(parts.failures).toEqual(['expired']);
    expect(parts.upstream.requests.token).toBe(2);
  });

  it('ends when the provider rejects a poll', async () => {
    const parts = await start();
    parts.upstream.failNext('token', { status: 400, body: '{"error":"invalid_grant"}' });
    await parts.clock.advance(5000);
    expect(parts.failures).toEqual(['provider_refused']);
  });

  it.each([
    ['without tokens', {}, 'token_answer_invalid'],
    ['with tokens of another kind', { access_token: 'a', token_type: 'User Access Token' }, 'token_type'],
  ])('ends after a success %s: its code is used up', async (_what, body, reason) => {
    const parts = await start();
    parts.upstream.failNext('token', () => Response.json(body));
    await parts.clock.advance(5000);
    expect(parts.errors.splice(0)).toMatchObject([{ code: 'provider_unavailable', failure: { reason } }]);
    expect(await polls(parts, 600)).toBe(0);
  });

  it('has one poll in flight at a time', async () => {
    const parts = await start();
    let answer: (response: Response) => void = () => undefined;
    parts.upstream.failNext('token', () => new Promise((resolve) => (answer = resolve)));
    expect(await polls(parts, 9)).toBe(1);
    answer(Response.json({ error: 'authorization_pending' }, { status: 400 }));
    expect(await polls(parts, 4.9)).toBe(0);
    expect(await polls(parts, 0.2)).toBe(1);
  });

  it('stops at once, passes on tokens from a poll in flight, and leaves no timer', async () => {
    const parts = await start();
    const { clock, upstream, poller, granted } = parts;
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    upstream.approve('CODE-1', 'alice');
    upstream.failNext('token', async (response) => {
      await held;
      return response;
    });
    await clock.advance(5000);
    poller.stop();
    release();
    await clock.advance(0);
    expect(granted).toMatchObject([{ identity: { subject: 'alice' } }]);
    expect(await polls(parts, 600)).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it('never polls if it is stopped before it has its code', async () => {
    const clock = new VirtualClock();
    const upstream = new FaultingProvider();
    const settings = providerSettings({ ...upstream.options, deviceFlow: 'only' });
    const poller = new DevicePoller({
      provider: new Provider(settings, {
        clock,
        fetch: upstream.fetch,
        onError: () => undefined,
        report: () => undefined,
      }),
      request: { scopes: settings.scopes },
      clock,
      deadlines: new Deadlines(clock, () => undefined),
      onGranted: async () => undefined,
      onError: () => undefined,
      onFailure: () => undefined,
    });
    const starting = poller.start();
    poller.stop();
    await starting;
    await clock.advance(60_000);
    expect(upstream.requests).toMatchObject({ device: 1, token: 0 });
  });

  it('reports why the provider returned no code', async () => {
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
      await expect(startPoller((upstream) => upstream.failNext('device', fault))).rejects.toMatchObject(
        error,
      );
    }
  });
});
