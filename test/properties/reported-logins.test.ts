import { describe, expect, it } from 'vitest';
import type { LoginOutcome } from '../../packages/sessions/src/login/login-attempt.js';
import { snapshotOf } from '../../packages/sessions/src/session/session-record.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { engineNodes } from '../support/engine-nodes.js';
import { LoginBench } from '../support/login-bench.js';
import { answerOf } from '../support/port-answers.js';
import { SeededRandom } from '../support/seeded-random.js';
import { SessionBench } from '../support/session-bench.js';

const SEEDS = 100;
const MINUTE_MS = 60_000;

/** What the caller of a login was told, and what is true some minutes later. */
interface Reported {
  readonly seed: number;
  readonly told: LoginOutcome | 'unknown';
  readonly isLoggedIn: boolean;
  readonly isPending: boolean;
  readonly failures: number;
  readonly authentications: number;
}

/**
 * A login whose tokens arrive while the engine loses messages. In most cases it goes down for up to some minutes, when it
 * has made a change of a session and before it answers.
 */
async function reportedLogin(seed: number): Promise<Reported> {
  let isFailing = false;
  const { engine, clock, nodes } = engineNodes(seed, {
    losses: 0.1,
    wrap: (stores) => {
      const { sessions } = stores;
      const replace = sessions.replace.bind(sessions);
      sessions.replace = (...change) => {
        const replaced = replace(...change);
        if (!isFailing) return replaced;
        isFailing = false;
        engine.isDown = true;
        clock.after(random.below(3 * MINUTE_MS), () => {
          engine.isDown = false;
        });
        return new Promise(() => undefined);
      };
      return stores;
    },
  });
  const [{ clock: nodeClock, ports }] = nodes;
  const random = new SeededRandom(seed);
  const bench = new SessionBench({
    clock,
    nodeClock,
    keys: new KeyHierarchy(random.bytes(32)),
    random: random.bytes,
    createPorts: () => ports,
  });
  const logins = new LoginBench(bench, { clock: nodeClock });
  engine.isCalm = true;
  const { record } = await answerOf(clock, bench.registry.start('connection', ''));
  const attempt = await answerOf(clock, logins.start(record));
  const granted = bench.provider.grant('alice');
  const waiting = random.chance(0.5)
    ? await answerOf(clock, logins.completion.awaitConfirmation(attempt, granted))
    : undefined;
  const code = waiting && 'code' in waiting ? waiting.code : undefined;
  engine.isCalm = false;
  isFailing = random.chance(0.7);
  let told: Reported['told'] | undefined;
  const completing =
    code === undefined
      ? logins.completion.complete(attempt, granted)
      : logins.completion.confirm(attempt, code);
  const noted = completing.then(
    (outcome) => {
      told = outcome;
    },
    (error: unknown) => {
      expect(error).toMatchObject({ code: 'store_unavailable' });
      told = 'unknown';
    },
  );
  await clock.advance(4 * MINUTE_MS);
  engine.isCalm = true;
  await Promise.all([noted, clock.advance(8 * MINUTE_MS)]);
  const after = await answerOf(clock, bench.registry.get(record.ref));
  if (!told || !after) throw new Error('The login was not answered, or its session has ended.');
  const isLoggedIn = after.accounts.idp?.state === 'authenticated';
  if (isLoggedIn)
    expect(await answerOf(clock, bench.accessToken(snapshotOf(after)))).toMatch(/^access-alice/);
  return {
    seed,
    told,
    isLoggedIn,
    isPending: (await answerOf(clock, Promise.resolve(ports.attempts.pending()))).length > 0,
    failures: bench.eventsOf('login.failed').length,
    authentications: bench.eventsOf('account.authenticated').length,
  };
}

describe('a login during losses and outages of the engine', () => {
  it('is reported as what it is: as complete, as failed, or as unknown', async () => {
    const logins: Reported[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) logins.push(await reportedLogin(seed));
    const toldOf = ({ told }: Reported) => (told === 'unknown' ? told : told.kind);

    const complete = logins.filter((login) => toldOf(login) === 'authenticated');
    expect(complete.filter(({ isLoggedIn }) => !isLoggedIn)).toEqual([]);
    expect(complete.filter(({ authentications }) => authentications !== 1)).toEqual([]);
    const failed = logins.filter((login) => toldOf(login) === 'failed');
    expect(failed.filter(({ isLoggedIn }) => isLoggedIn)).toEqual([]);
    const unknown = logins.filter((login) => toldOf(login) === 'unknown');

    // Also a login of which nothing was known has ended, and its events say how.
    expect(logins.filter(({ isPending }) => isPending)).toEqual([]);
    expect(logins.filter(({ isLoggedIn, failures }) => isLoggedIn && failures > 0)).toEqual([]);
    expect(logins.filter(({ isLoggedIn, authentications }) => !isLoggedIn && authentications > 0)).toEqual(
      [],
    );
    const counts = [complete, failed, unknown, unknown.filter(({ isLoggedIn }) => isLoggedIn)];
    for (const { length } of counts) expect(length).toBeGreaterThan(3);
  });
});
