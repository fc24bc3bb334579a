import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../../../test/support/seeded-random.js';
import type { SessionRef } from '../../session/ids.js';
import { type InternalEvent, SessionEvents } from '../../session/session-events.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Secret } from '../../vault/secret.js';
import type { TokenSet } from '../../vault/token-set.js';
import type { RefreshOutcome } from './granted-tokens.js';
import { RefreshPolicy } from './policy.js';

const SECOND = 1000;
const cause = new Error('the reason');
const unavailable = { kind: 'unavailable', retryAfterSeconds: undefined, cause } as const;
const lost = { kind: 'lost', cause } as const;
const revoked = { kind: 'grant_revoked' } as const;
const refusal = { kind: 'refused', retryAfterSeconds: undefined, cause } as const;
const granted: RefreshOutcome = {
  kind: 'granted',
  granted: {
    tokens: { accessToken: Secret.fromString('access'), refreshToken: undefined },
    requestedAtMs: 0,
    expiresInSeconds: undefined,
    scopes: undefined,
    identity: undefined,
  },
};
const always = () => Promise.resolve(true);
const beforeSend = () => Promise.resolve(() => true);

interface Request {
  readonly provider: string;
  readonly refreshToken: string;
  readonly atMs: number;
  answer(outcome: RefreshOutcome): void;
}

interface SetUpOptions {
  readonly fraction?: () => number;
  /** Whether another refresh may have sent the token. */
  readonly isAmbiguous?: boolean;
  /** Answers requests as they come. Default: they are pending until the test answers them. */
  readonly answers?: (request: Request, number: number) => RefreshOutcome;
}

function setUp({ fraction = () => 0.5, isAmbiguous = false, answers }: SetUpOptions = {}) {
  const clock = new VirtualClock();
  const events = new SessionEvents((error) => {
    throw error;
  });
  const requests: Request[] = [];
  const late: Promise<TokenSet | undefined>[] = [];
  const expectLate = (tokens: Promise<TokenSet | undefined>) => void late.push(tokens);
  const policy = new RefreshPolicy({
    clock,
    fraction,
    sendRefresh: (provider, refreshToken) =>
      new Promise((answer) => {
        const request = { provider, refreshToken: refreshToken.reveal(), atMs: clock.now(), answer };
        requests.push(request);
        if (answers) answer(answers(request, requests.length));
      }),
  });
  events.subscribe((event) => policy.handleEvent(event));
  const refresh = (token = 'token', isWanted = always, provider = 'idp') =>
    policy.refresh(provider, Secret.fromString(token), { isWanted, isAmbiguous, beforeSend, expectLate });
  /** Refreshes, letting as much time pass as that takes. */
  const finish = async (refreshing = refresh()) => {
    let outcome: RefreshOutcome | undefined;
    void refreshing.then((ended) => {
      outcome = ended;
    });
    for (let step = 0; !outcome && step < 60; step++) await clock.advance(SECOND);
    return outcome;
  };
  const times = () => requests.map(({ atMs }) => atMs);
  const login: InternalEvent & { type: 'account.authenticated' } = {
    type: 'account.authenticated',
    // Its value is of no importance here.
    ref: 'session' as SessionRef,
    epoch: 0,
    provider: 'idp',
    subject: 'alice',
    generation: 1,
    refreshAtMs: undefined,
  };
  return { clock, events, requests, late, times, refresh, finish, login };
}

describe('a refresh that was not done', () => {
  it('is tried three times in all, each pause random and up to twice as long as the one before [security 20]', async () => {
    const { times, finish } = setUp({ answers: () => unavailable });
    expect(await finish()).toBe(unavailable);
    expect(times()).toEqual([0, 250, 750]);
  });

  it('is tried again after anything from nothing to the whole pause [security 20]', async () => {
    const random = new SeededRandom(7);
    const pauses: [number, number][] = [];
    for (let run = 0; run < 200; run++) {
      const { times, finish } = setUp({
        fraction: () => random.fraction(),
        answers: () => unavailable,
      });
      await finish();
      const [first = 0, second = 0, third = 0] = times();
      pauses.push([second - first, third - second]);
    }
    const spread = (values: number[]) => [Math.min(...values), Math.max(...values)];
    const [firstLeast = 0, firstMost = 0] = spread(pauses.map(([pause]) => pause));
    const [secondLeast = 0, secondMost = 0] = spread(pauses.map(([, pause]) => pause));
    expect(firstLeast).toBeLessThan(50);
    expect(firstMost).toBeGreaterThan(450);
    expect(firstMost).toBeLessThanOrEqual(500);
    expect(secondLeast).toBeLessThan(100);
    expect(secondMost).toBeGreaterThan(900);
    expect(secondMost).toBeLessThanOrEqual(1000);
  });

  it('is done as soon as the provider does it', async () => {
    const { requests, finish } = setUp({
      answers: (_request, number) => (number < 3 ? unavailable : granted),
    });
    expect(await finish()).toBe(granted);
    expect(requests.map(({ refreshToken }) => refreshToken)).toEqual(['token', 'token', 'token']);
  });

  it('waits as long as the provider asks, if that is no more than eight seconds [security 20]', async () => {
    const asks = { ...unavailable, retryAfterSeconds: 8 };
    const { times, finish } = setUp({ answers: (_request, number) => (number === 1 ? asks : granted) });
    expect(await finish()).toBe(granted);
    expect(times()).toEqual([0, 8000]);
  });

  it('is not tried again at once when the provider asks for more than that [security 20]', async () => {
    const asks = { ...unavailable, retryAfterSeconds: 9 };
    const { times, finish } = setUp({ answers: () => asks });
    expect(await finish()).toBe(asks);
    expect(times()).toEqual([0]);
  });

  it.each([
    ['refused', { kind: 'refused', retryAfterSeconds: undefined, cause }],
    ['grant_revoked', revoked],
  ] as const)('because it was %s is not tried again [security 21]', async (_kind, outcome) => {
    const { times, finish } = setUp({ answers: () => outcome });
    expect(await finish()).toBe(outcome);
    expect(times()).toEqual([0]);
  });

  it('is not retried after a logout or another login [security 21, 22]', async () => {
    const { clock, requests, refresh } = setUp();
    let isWanted = true;
    const refreshing = refresh('token', () => Promise.resolve(isWanted));
    await clock.advance(0);
    requests[0]?.answer(unavailable);
    await clock.advance(100);
    isWanted = false;
    await clock.advance(10 * SECOND);
    expect(await refreshing).toEqual({ kind: 'unwanted' });
    expect(requests).toHaveLength(1);
  });
});

describe('a refresh whose answer was lost', () => {
  it('is sent once more, within five seconds [security 20]', async () => {
    const random = new SeededRandom(8);
    for (let run = 0; run < 50; run++) {
      const { times, finish } = setUp({
        fraction: () => random.fraction(),
        answers: (_request, number) => (number === 1 ? lost : granted),
      });
      expect(await finish()).toBe(granted);
      expect(times()).toHaveLength(2);
      expect(times()[1]).toBeLessThanOrEqual(5000);
    }
  });

  it.each<[string, RefreshOutcome]>([
    ['lost again', lost],
    ['refused', { kind: 'refused', retryAfterSeconds: undefined, cause }],
  ])('is lost when that is %s, and sent no third time [security 20]', async (_what, second) => {
    const first = { kind: 'lost', cause: new Error('first') } as const;
    const { times, finish } = setUp({ answers: (_request, number) => (number === 1 ? first : second) });
    expect(await finish()).toMatchObject({ kind: 'lost' });
    expect(times()).toHaveLength(2);
  });

  it('was carried out if the provider does not know the refresh token any more [security 20]', async () => {
    const { finish } = setUp({ answers: (_request, number) => (number === 1 ? lost : revoked) });
    expect(await finish()).toBe(revoked);
  });

  it('counts as lost also after a try that was not done [security 20]', async () => {
    const { times, finish } = setUp({ answers: (_request, number) => (number === 1 ? unavailable : lost) });
    expect(await finish()).toBe(lost);
    expect(times()).toHaveLength(3);
  });

  it('is not repeated when the account does not need it [security 22]', async () => {
    const { clock, requests, refresh } = setUp();
    let isWanted = true;
    const refreshing = refresh('token', () => Promise.resolve(isWanted));
    await clock.advance(0);
    requests[0]?.answer(lost);
    isWanted = false;
    await clock.advance(10 * SECOND);
    expect(await refreshing).toEqual({ kind: 'unwanted', isAmbiguous: true });
    expect(requests).toHaveLength(1);
  });

  it('is not sent again if its turn comes only after five seconds [security 20]', async () => {
    const { clock, requests, refresh } = setUp();
    const refreshing = refresh('alice');
    const others = Array.from({ length: 50 }, () => refresh('other'));
    await clock.advance(0);
    expect(requests).toHaveLength(50);
    requests[0]?.answer(lost);
    await clock.advance(6 * SECOND);
    // The last of the others had taken the place that was free.
    for (const { answer } of requests) answer(granted);
    await clock.advance(0);
    expect(await refreshing).toBe(lost);
    await Promise.all(others);
    expect(requests.filter(({ refreshToken }) => refreshToken === 'alice')).toHaveLength(1);
  });

  it('is sent again until it is done, for as long as there is time: what was not done was no repetition', async () => {
    const { times, finish } = setUp({
      fraction: () => 0.2,
      answers: (_request, number) => [lost, unavailable, unavailable, granted][number - 1] ?? revoked,
    });
    expect(await finish()).toBe(granted);
    expect(times()).toEqual([0, 500, 1000, 1500]);
  });

  it('is repeated although lost responses have opened the breaker [security 20]', async () => {
    const { clock, requests, refresh } = setUp();
    const cut = Array.from({ length: 50 }, (_, number) => refresh(`token-${number}`));
    await clock.advance(0);
    for (const { answer } of requests.slice(0, 50)) answer(lost);
    await clock.advance(5 * SECOND);
    expect(requests).toHaveLength(100);
    for (const { answer } of requests.slice(50)) answer(granted);
    await clock.advance(0);
    expect(await Promise.all(cut)).toEqual(cut.map(() => granted));
  });

  it('hands on the tokens that come after the deadlines of both requests, once', async () => {
    const lostAnswer = () => ({ ...lost, late: Promise.resolve(undefined) });
    const [first, second] = [lostAnswer(), lostAnswer()];
    const numbersOf = ({ late }: ReturnType<typeof setUp>) =>
      late.map((tokens) => (tokens === first.late ? 'first' : tokens === second.late ? 'second' : 'other'));
    const repeated = setUp({ answers: (_request, number) => (number === 1 ? first : second) });
    expect(await repeated.finish()).toBe(second);
    expect(numbersOf(repeated)).toEqual(['first', 'second']);
    const notRepeated = setUp({ answers: () => first, isAmbiguous: true });
    await notRepeated.finish();
    const refused = setUp({ answers: (_request, number) => (number === 1 ? first : refusal) });
    await refused.finish();
    expect([numbersOf(notRepeated), numbersOf(refused)]).toEqual([['first'], ['first']]);
  });
});

describe('refreshes at one provider', () => {
  it('are at most 50 at once; the others wait for their turn [security 42]', async () => {
    const { clock, requests, refresh } = setUp();
    const all = Array.from({ length: 120 }, (_, index) => refresh(`token ${index}`));
    await clock.advance(0);
    expect(requests).toHaveLength(50);
    for (const { answer } of requests.slice(0, 10)) answer(granted);
    await clock.advance(0);
    expect(requests).toHaveLength(60);
    let answered = 10;
    while (answered < 120) {
      for (const { answer } of requests.slice(answered)) answer(granted);
      answered = requests.length;
      await clock.advance(0);
    }
    expect((await Promise.all(all)).every((outcome) => outcome === granted)).toBe(true);
    expect(new Set(requests.map(({ refreshToken }) => refreshToken)).size).toBe(120);
  });

  it('do not keep their turn while they pause', async () => {
    const { clock, requests, refresh } = setUp({ fraction: () => 1 });
    const all = Array.from({ length: 51 }, () => refresh());
    await clock.advance(0);
    requests[0]?.answer({ ...unavailable, retryAfterSeconds: undefined });
    await clock.advance(0);
    expect(requests).toHaveLength(51);
    for (const { answer } of requests) answer(granted);
    await clock.advance(SECOND);
    requests.at(-1)?.answer(granted);
    await Promise.all(all);
  });

  it('stop after five failures, and one probe tells when they may go on [security 20]', async () => {
    let isDown = true;
    const { clock, times, refresh, finish } = setUp({ answers: () => (isDown ? unavailable : granted) });
    for (let number = 0; number < 20; number++) await finish(refresh());
    expect(times()).toHaveLength(5);
    isDown = false;
    await clock.advance(30 * SECOND);
    expect(await finish(refresh())).toBe(granted);
    expect(times()).toHaveLength(6);
  });

  it('are not sent if the account does not need them when their turn comes [security 22]', async () => {
    const { clock, requests, refresh } = setUp();
    let isWanted = true;
    const first = Array.from({ length: 50 }, () => refresh());
    const waiting = refresh('waiting', () => Promise.resolve(isWanted));
    await clock.advance(0);
    isWanted = false;
    for (const { answer } of requests) answer(granted);
    await Promise.all(first);
    expect(await waiting).toEqual({ kind: 'unwanted' });
    expect(requests).toHaveLength(50);
  });

  it('continue after a login at the provider [security 21]', async () => {
    let isDown = true;
    const { events, requests, refresh, finish, login } = setUp({
      answers: () => (isDown ? unavailable : granted),
    });
    for (let number = 0; number < 2; number++) await finish(refresh());
    isDown = false;
    expect(await finish(refresh())).toMatchObject({ kind: 'unavailable' });
    events.emit({ ...login, provider: 'other' });
    expect(await finish(refresh())).toMatchObject({ kind: 'unavailable' });
    events.emit(login);
    expect(await finish(refresh())).toBe(granted);
    expect(requests).toHaveLength(6);
  });
});

describe('two providers', () => {
  it('do not hold each other up, neither by their breakers nor by their queues [security 42]', async () => {
    const { clock, requests, refresh } = setUp({ fraction: () => 1 });
    const full = Array.from({ length: 60 }, () => refresh('token', always, 'slow'));
    const failing = Array.from({ length: 5 }, () => refresh('token', always, 'down'));
    await clock.advance(0);
    for (const { provider, answer } of requests) {
      if (provider === 'down') answer({ ...unavailable, retryAfterSeconds: 60 });
    }
    await Promise.all(failing);
    const free = refresh('token', always, 'idp');
    await clock.advance(0);
    const last = requests.at(-1);
    expect(last?.provider).toBe('idp');
    last?.answer(granted);
    expect(await free).toBe(granted);
    expect(requests.filter(({ provider }) => provider === 'slow')).toHaveLength(50);
    for (const { answer } of requests) answer(granted);
    await clock.advance(0);
    for (const { answer } of requests) answer(granted);
    await Promise.all(full);
  });
});

describe('a refresh token that another refresh may have sent', () => {
  it('is sent once: a lost request is not repeated [security 20]', async () => {
    const { requests, refresh, finish } = setUp({ isAmbiguous: true, answers: () => lost });
    expect(await finish(refresh())).toEqual(lost);
    expect(requests).toHaveLength(1);
  });
});
