import { describe, expect, it } from 'vitest';
import type { AttemptStore } from '../../packages/sessions/src/login/attempt-store.js';
import type { LoginOutcome } from '../../packages/sessions/src/login/login-attempt.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { LoginBench } from '../support/login-bench.js';
import { ModelledEngine, type ModelledEngineOptions } from '../support/modelled-engine.js';
import { NodeClock } from '../support/node-clock.js';
import { answerOf } from '../support/port-answers.js';
import { SeededRandom } from '../support/seeded-random.js';
import { SessionBench } from '../support/session-bench.js';

const MINUTE_MS = 60_000;
const SEEDS = 100;

interface Ends {
  readonly authenticated: number;
  readonly failed: number;
  readonly codesTaken: number;
  readonly hasAccount: boolean;
}

type Outcomes = (LoginOutcome | undefined)[];

/** One login whose browser and whose calls reach two nodes at about the same time. */
class LoginOnNodes {
  readonly #random: SeededRandom;
  readonly #clock = new VirtualClock();
  readonly #engine: ModelledEngine;
  readonly #nodes: { readonly bench: SessionBench; readonly logins: LoginBench }[];
  readonly #outcomes: Outcomes = [];
  #codesTaken = 0;

  constructor(seed: number, options: Partial<ModelledEngineOptions> = {}) {
    const random = new SeededRandom(seed);
    const [clock, keys] = [this.#clock, new KeyHierarchy(random.bytes(32))];
    const engine = new ModelledEngine({
      clock,
      random,
      delayMs: random.pick([0, 20, 200]),
      losses: 0,
      ...options,
    });
    this.#random = random;
    this.#engine = engine;
    this.#nodes = [0, 1].map(() => {
      const nodeClock = new NodeClock(clock);
      const bench = new SessionBench({
        clock,
        nodeClock,
        keys,
        createPorts: ({ isPresent }) => engine.portsOf(nodeClock, isPresent),
      });
      return { bench, logins: new LoginBench(bench, bench.ports) };
    });
  }

  /** The states and codes come at both nodes, or the client starts another login, in any order. */
  async run(): Promise<Ends> {
    const random = this.#random;
    const { bench, logins } = this.#node();
    this.#engine.isCalm = true;
    const { record } = await answerOf(this.#clock, bench.registry.start('connection', 'holder'));
    const started = await answerOf(this.#clock, logins.start(record));
    const granted = () => bench.provider.grant('alice');
    const needsCode = random.chance(0.5);
    let code = '';
    if (needsCode) {
      const waiting = await answerOf(this.#clock, logins.completion.awaitConfirmation(started, granted()));
      code = 'code' in waiting ? waiting.code : '';
    }
    this.#engine.isCalm = false;
    const respond = async ({ changes, completion }: LoginBench) => {
      if (needsCode) return completion.confirm(started, random.chance(0.5) ? code : '0000-0000');
      // As a callback does that takes a state: of several ones, one goes on.
      const taken = await changes.change(started.key, (attempt) =>
        attempt.lastTransaction ? undefined : { lastTransaction: { stateDigest: 's', cookieDigest: 'c' } },
      );
      if (!taken) return undefined;
      this.#codesTaken++;
      return completion.complete(started, granted());
    };
    const actions = Array.from({ length: 8 }, async () => {
      await this.#wait(random.below(300));
      const { logins } = this.#node();
      if (random.chance(0.8)) this.#outcomes.push(await respond(logins));
      else await logins.completion.fail(started, 'superseded');
    });
    await Promise.all([Promise.allSettled(actions), this.#clock.advance(20 * MINUTE_MS)]);
    this.#engine.isCalm = true;
    const after = await answerOf(this.#clock, bench.registry.get(record.ref));
    return {
      authenticated: this.#outcomes.filter((outcome) => outcome?.kind === 'authenticated').length,
      failed: this.#nodes.flatMap((node) => node.bench.eventsOf('login.failed')).length,
      codesTaken: this.#codesTaken,
      hasAccount: after?.accounts.idp !== undefined,
    };
  }

  #node(): { readonly bench: SessionBench; readonly logins: LoginBench } {
    return this.#random.pick(this.#nodes);
  }

  #wait(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(durationMs, resolve));
  }
}

/** The ends of a login in each of a number of networks. */
async function endsOf(options: Partial<ModelledEngineOptions> = {}): Promise<Ends[]> {
  const ends: Ends[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    ends.push(await new LoginOnNodes(seed, options).run());
  }
  return ends;
}

/** An engine whose attempts let the last writer win. */
const LAST_WRITER_WINS: Partial<ModelledEngineOptions> = {
  wrap: (stores) => {
    const replace: AttemptStore['replace'] = async (next) => {
      const current = await stores.attempts.get(next.key);
      return current ? stores.attempts.replace(next, current.version) : false;
    };
    const attempts = new Proxy(stores.attempts, {
      get: (target, name) => {
        if (name === 'replace') return replace;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return { ...stores, attempts };
  },
};

describe('a login whose callbacks and calls reach two nodes', () => {
  it('ends once: it is complete, or it has failed and its session has no account [security 15]', async () => {
    const ends = await endsOf();
    expect(ends.filter(({ authenticated, failed }) => authenticated + failed !== 1)).toEqual([]);
    expect(ends.filter(({ authenticated, hasAccount }) => (authenticated === 1) !== hasAccount)).toEqual([]);
    expect(new Set(ends.map(({ hasAccount }) => hasAccount))).toEqual(new Set([true, false]));
  });

  it('has its state taken once [security 12]', async () => {
    const ends = await endsOf();
    expect(Math.max(...ends.map(({ codesTaken }) => codesTaken))).toBe(1);
  });

  it('ends at most once, also if answers of the engine are lost', async () => {
    const ends = await endsOf({ losses: 0.05 });
    expect(ends.filter(({ authenticated, failed }) => authenticated > 1 || failed > 1)).toEqual([]);
  });

  it('would end more than once if the engine let the last writer win', async () => {
    const ends = await endsOf(LAST_WRITER_WINS);
    expect(ends.filter(({ codesTaken, failed }) => codesTaken > 1 || failed > 1)).not.toEqual([]);
  });
});
