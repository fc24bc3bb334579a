import { afterEach, describe, expect, it } from 'vitest';
import { LoginBench } from '../../../../../test/support/login-bench.js';
import { SessionBench } from '../../../../../test/support/session-bench.js';
import { storeUnavailable } from '../../errors.js';
import { Provider } from '../../provider/provider.js';
import { providerSettings } from '../../provider/provider-settings.js';
import { FaultingProvider } from '../../testing/index.js';
import type { PendingAttempt } from '../attempt-record.js';
import { MAX_START_MS } from './flow.js';

const slowDown = { status: 400, body: '{"error":"slow_down"}' };
const SCOPES = ['openid', 'notes'];

/** A session that may log in at a provider, and what the provider has received. */
async function setUp(change: (upstream: FaultingProvider) => void = () => undefined) {
  const bench = new SessionBench();
  const { clock } = bench;
  const upstream = new FaultingProvider({ name: 'idp' });
  change(upstream);
  const settings = providerSettings({ ...upstream.options, deviceFlow: 'allowed' });
  const scopes: (string | null)[] = [];
  const sentCodes: (string | null)[] = [];
  const fetch: typeof globalThis.fetch = (input, init) => {
    if (init?.body instanceof URLSearchParams) {
      if (init.body.has('device_code')) sentCodes.push(init.body.get('device_code'));
      else scopes.push(init.body.get('scope'));
    }
    return upstream.fetch(input, init);
  };
  const deviceProvider = new Provider(settings, {
    clock,
    fetch,
    onError: () => undefined,
    report: () => undefined,
  });
  const logins = new LoginBench(bench, { deviceProvider });
  const { record } = await bench.registry.start('connection', 'holder');
  const added = await logins.start(record, {
    isDevice: true,
    scopes: SCOPES,
    dueAtMs: clock.now() + MAX_START_MS,
  });
  const account = async () => (await bench.registry.get(record.ref))?.accounts.idp;
  const failures = () => bench.eventsOf('login.failed').map(({ failure }) => failure);
  return { bench, clock, upstream, logins, record, added, account, failures, scopes, sentCodes };
}

/** A login that has its codes. */
async function startLogin(change?: (upstream: FaultingProvider) => void) {
  const parts = await setUp(change);
  return { ...parts, attempt: await parts.logins.deviceFlow.start(parts.added) };
}
type Started = Awaited<ReturnType<typeof startLogin>>;

/** Counts the polls within these seconds. */
async function polls({ clock, upstream }: Pick<Started, 'clock' | 'upstream'>, seconds: number) {
  const before = upstream.requests.token;
  await clock.advance(seconds * 1000);
  return upstream.requests.token - before;
}

/** Holds back the next answer to a poll until the function that it returns is called. */
function holdPoll({ upstream }: Pick<Started, 'upstream'>): () => void {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  upstream.failNext('token', async (response) => {
    await held;
    return response;
  });
  return release;
}

/** Holds back the answer to the next change of an attempt until the function that it returns is called. */
function holdChange({ logins: { attempts } }: Pick<Started, 'logins'>): () => void {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const replace = attempts.replace.bind(attempts);
  attempts.replace = async (...given) => {
    attempts.replace = replace;
    const isReplaced = await replace(...given);
    await held;
    return isReplaced;
  };
  return release;
}

describe('the device flow', () => {
  const open: SessionBench[] = [];
  afterEach(() => {
    expect(open.splice(0).flatMap(({ errors }) => errors)).toEqual([]);
  });
  const start: typeof startLogin = async (change) => {
    const parts = await startLogin(change);
    open.push(parts.bench);
    return parts;
  };

  it('returns a user code, and tokens after the approval', async () => {
    const parts = await start();
    const { upstream, attempt, account, scopes } = parts;
    expect(attempt.device).toMatchObject({
      userCode: 'CODE-1',
      verificationUri: 'https://provider.test/device',
    });
    expect(await polls(parts, 12)).toBe(2);
    expect(scopes).toEqual(['openid notes']);
    upstream.approve('CODE-1', 'alice');
    expect(await account()).toBeUndefined();
    await parts.clock.advance(3000);
    expect(await account()).toMatchObject({ subject: 'alice', scopes: SCOPES, state: 'authenticated' });
    expect(await polls(parts, 60)).toBe(0);
    expect(parts.failures()).toEqual([]);
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
    expect(parts.failures()).toEqual([]);
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
    expect(parts.bench.eventsOf('login.failed')).toMatchObject([
      { failure: 'provider_unavailable', reason: 'provider_busy' },
    ]);
    expect(parts.upstream.livingUsers()).toEqual([]);
    expect(await polls(parts, 500)).toBe(0);
  });

  it.each([
    ['deny', 'declined'],
    ['expire', 'expired'],
  ] as const)('ends when the user or the provider ends it: %s', async (decide, failure) => {
    const parts = await start();
    parts.upstream[decide]('CODE-1');
    await parts.clock.advance(5000);
    expect(parts.failures()).toEqual([failure]);
    expect(await polls(parts, 60)).toBe(0);
  });

  it('ends when its code expires, even without a response that says so', async () => {
    const parts = await start((upstream) => {
      upstream.userCodeSeconds = 12;
    });
    await parts.clock.advance(11_900);
    expect(parts.failures()).toEqual([]);
    await parts.clock.advance(200);
    expect(parts.failures()).toEqual(['expired']);
    expect(parts.upstream.requests.token).toBe(2);
  });

  it('takes the tokens of a poll that was in flight when its code expired', async () => {
    const parts = await start((upstream) => {
      upstream.userCodeSeconds = 7;
    });
    const release = holdPoll(parts);
    parts.upstream.approve('CODE-1', 'alice');
    await parts.clock.advance(9000);
    expect(parts.failures()).toEqual([]);
    release();
    await parts.clock.advance(0);
    expect(await parts.account()).toMatchObject({ subject: 'alice' });
    expect(parts.failures()).toEqual([]);
  });

  it('ends when the provider rejects a poll', async () => {
    const parts = await start();
    parts.upstream.failNext('token', { status: 400, body: '{"error":"invalid_grant"}' });
    await parts.clock.advance(5000);
    expect(parts.failures()).toEqual(['provider_refused']);
  });

  it.each([
    ['without tokens', {}, 'token_answer_invalid'],
    ['with tokens of another kind', { access_token: 'a', token_type: 'User Access Token' }, 'token_type'],
  ])('ends after a success %s: its code is used up', async (_what, body, reason) => {
    const parts = await start();
    parts.upstream.failNext('token', () => Response.json(body));
    await parts.clock.advance(5000);
    expect(parts.bench.eventsOf('login.failed')).toMatchObject([{ failure: 'provider_unavailable', reason }]);
    expect(await polls(parts, 500)).toBe(0);
  });

  it('has one poll in flight at a time', async () => {
    const parts = await start();
    let answer: (response: Response) => void = () => undefined;
    parts.upstream.failNext('token', () => new Promise((resolve) => (answer = resolve)));
    expect(await polls(parts, 9)).toBe(1);
    // Another node may be handed over what is due.
    await parts.logins.deviceFlow.runDue(parts.attempt);
    expect(parts.upstream.requests.token).toBe(1);
    answer(Response.json({ error: 'authorization_pending' }, { status: 400 }));
    expect(await polls(parts, 4.9)).toBe(0);
    expect(await polls(parts, 0.2)).toBe(1);
  });

  it('sends no poll that is so late that another node may poll [security 15]', async () => {
    const parts = await start();
    const continueOne = holdChange(parts);
    expect(await polls(parts, 5)).toBe(0);
    const answer = holdPoll(parts);
    expect(await polls(parts, 30)).toBe(1);
    continueOne();
    expect(await polls(parts, 0.2)).toBe(0);
    answer();
    expect(await polls(parts, 4.9)).toBe(0);
    expect(await polls(parts, 0.2)).toBe(1);
  });

  it('ignores the failure of a poll after which another node may have polled [security 15]', async () => {
    const parts = await start();
    let answer: (response: Response) => void = () => undefined;
    parts.upstream.failNext('token', () => new Promise((resolve) => (answer = resolve)));
    expect(await polls(parts, 5)).toBe(1);
    // The process was stopped: no timer of its own has run when the answer is read.
    parts.clock.jump(31_000);
    answer(Response.json({ error: 'invalid_grant' }, { status: 400 }));
    parts.upstream.approve('CODE-1', 'alice');
    expect(await polls(parts, 0)).toBe(1);
    expect(parts.failures()).toEqual([]);
    expect(await parts.account()).toMatchObject({ subject: 'alice' });
  });

  it('polls no more while its tokens are being committed', async () => {
    const parts = await start();
    const { changes } = parts.logins;
    await changes.change(parts.attempt.key, () => ({ isCommitting: true }));
    expect(await polls(parts, 60)).toBe(0);
    await changes.change(parts.attempt.key, () => ({ isCommitting: undefined }));
    expect(await polls(parts, 6)).toBeGreaterThan(0);
  });

  it('goes on after an outage of the attempt store', async () => {
    const parts = await startLogin();
    const { bench, upstream, logins } = parts;
    const { replace } = logins.attempts;
    logins.attempts.replace = () => Promise.reject(storeUnavailable(new Error('down')));
    upstream.approve('CODE-1', 'alice');
    expect(await polls(parts, 8)).toBe(0);
    logins.attempts.replace = replace;
    await parts.clock.advance(10_000);
    expect(await parts.account()).toMatchObject({ subject: 'alice' });
    expect(parts.failures()).toEqual([]);
    expect(bench.errors).toMatchObject([{ code: 'store_unavailable' }]);
  });

  it('stops at once, revokes the tokens of a poll in flight, and leaves nothing due [security 15, 22]', async () => {
    const parts = await start();
    const { clock, bench, upstream, logins, attempt } = parts;
    const release = holdPoll(parts);
    upstream.approve('CODE-1', 'alice');
    await clock.advance(5000);
    await logins.completion.fail(attempt, 'superseded');
    expect(bench.eventsOf('account.revoked')).toEqual([]);
    release();
    await clock.advance(0);
    expect(bench.eventsOf('account.revoked')).toHaveLength(1);
    expect(await parts.account()).toBeUndefined();
    expect(await polls(parts, 500)).toBe(0);
    expect(parts.failures()).toEqual(['superseded']);
  });

  it('never polls if it has ended before it has its code', async () => {
    const { logins, added, bench, clock, upstream } = await setUp();
    const starting = logins.deviceFlow.start(added);
    await logins.completion.fail(added, 'signed_out');
    await expect(starting).rejects.toMatchObject({
      code: 'login_failed',
      message: expect.stringMatching(/^This login was canceled before the provider returned a code\./),
    });
    await clock.advance(60_000);
    expect(upstream.requests).toMatchObject({ device: 1, token: 0 });
    expect(bench.errors).toEqual([]);
  });

  const unavailable = { code: 'provider_unavailable' };
  const refused = { code: 'provider_refused' };
  const odd = { device_code: 'd', user_code: 'A', verification_uri: 'http://elsewhere.test', expires_in: 60 };
  const badCode = { ...odd, verification_uri: 'https://x.test', user_code: '<b>' };
  it.each([
    ['refused', unavailable],
    [{ status: 503 }, unavailable],
    [{ status: 400, body: '{"error":"unauthorized_client"}' }, refused],
    [() => Response.json(odd), refused],
    [() => Response.json(badCode), refused],
  ] as const)('reports to all calls why the provider returned no code: %j', async (fault, error) => {
    const { logins, added, upstream, record } = await setUp((each) => each.failNext('device', fault));
    const { deviceFlow, changes } = logins;
    const calls = await Promise.allSettled([deviceFlow.start(added), deviceFlow.waitForCode(added)]);
    const [first, other] = calls.map((call) => (call.status === 'rejected' ? call.reason : undefined));
    expect(first).toMatchObject(error);
    expect(other).toMatchObject({ ...error, message: first.message });
    expect(upstream.requests.device).toBe(1);
    expect(await changes.takeUnreported(record, 'idp')).toBeUndefined();
  });

  it('returns to all calls the code that one of them has requested', async () => {
    const { logins, added, upstream, clock } = await setUp();
    const waiting = [1, 2, 3].map(() => logins.deviceFlow.waitForCode(added));
    const started = await logins.deviceFlow.start(added);
    expect((await Promise.all(waiting)).map(({ device }) => device)).toEqual(
      waiting.map(() => started.device),
    );
    expect(upstream.requests.device).toBe(1);
    expect(clock.now()).toBe(0);
  });

  it('returns the code to a call that has got no message', async () => {
    const parts = await setUp();
    const { bench, clock, added } = parts;
    const messages = { publish: () => {}, subscribe: () => () => {}, send: () => {}, receive: () => {} };
    const deaf = new LoginBench(bench, { messages });
    const waiting = deaf.deviceFlow.waitForCode(added);
    const started = await parts.logins.deviceFlow.start(added);
    await clock.advance(1000);
    expect((await waiting).device).toEqual(started.device);
  });

  it('keeps its code sealed, and destroys it when the login has ended [security 31]', async () => {
    const { attempt, clock, logins, sentCodes } = await start();
    await clock.advance(5000);
    const [sent] = sentCodes;
    expect(sent).toMatch(/^.{20,}$/);
    expect(isWiped(attempt)).toBe(false);
    expect(attempt.device?.code.bytes.includes(sent ?? '')).toBe(false);
    expect(JSON.stringify(await logins.attempts.get(attempt.key))).not.toContain(sent);
    await logins.completion.fail(attempt, 'signed_out');
    expect(isWiped(attempt)).toBe(true);
  });

  it('destroys its code when it is used up [security 31]', async () => {
    const parts = await start();
    parts.upstream.approve('CODE-1', 'alice');
    await parts.clock.advance(5000);
    expect(await parts.account()).toMatchObject({ subject: 'alice' });
    expect(isWiped(parts.attempt)).toBe(true);
  });
});

function isWiped({ device }: PendingAttempt): boolean {
  return device !== undefined && [...device.code.bytes, ...device.code.salt].every((byte) => byte === 0);
}
