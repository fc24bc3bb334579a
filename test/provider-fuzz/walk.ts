import { inspect } from 'node:util';
import { SessionError } from '../../packages/sessions/src/index.js';
import { type ProviderFault, QUIRKS, type QuirkName } from '../../packages/sessions/src/testing/index.js';
import { Play } from '../e2e/provider-play.js';
import { ROWS } from '../e2e/provider-rows.js';
import { SeededRandom } from '../support/seeded-random.js';
import { ERAS } from '../support/transcribed-server.js';
import { countWebCrypto } from '../support/web-crypto.js';
import { Guest, Violation } from './guest.js';
import { ProviderLedger } from './provider-ledger.js';
import { SettlingClock } from './settling-clock.js';

/** How a walk ended. */
export interface Walk {
  readonly quirks: readonly QuirkName[];
  readonly logins: number;
  readonly refreshes: number;
  /** The invariant that was violated, and in which step. */
  readonly violation: string | undefined;
}

/** A fault of the server, as if its code had it: it changes what the server receives. */
export type PlantedFault = (fetch: typeof globalThis.fetch) => typeof globalThis.fetch;

const ACTIONS = {
  logIn: 10,
  renew: 4,
  call: 12,
  reject: 1,
  wait: 8,
  waitForRefresh: 16,
  waitForExpiry: 6,
  endGrants: 3,
  startMaintenance: 3,
  mend: 6,
  loseAnswer: 2,
  refuseConnection: 3,
  echoSecret: 2,
  logOut: 3,
} as const;
type Action = keyof typeof ACTIONS;

// Object.entries forgets that the keys are the actions.
const DECK = (Object.entries(ACTIONS) as [Action, number][]).flatMap(([action, count]) =>
  Array.from({ length: count }, () => action),
);

/** How long an action waits: at least, and how much longer at most. */
const WAITS_MS: Partial<Record<Action, readonly [number, number]>> = {
  wait: [0, 60_000],
  waitForRefresh: [400_000, 150_000],
  waitForExpiry: [600_000, 120_000],
};

const STEPS = 30;
const MAX_QUIRKS = 4;
/** How many turns of the event loop a call gets before the clock goes on, and how far. */
const MAX_TURNS = 200;
const PAUSE_MS = 500;
/** A call that waits for longer has no end: the server has no longer limit. */
const MAX_PAUSES = 600;
const NAMES = Object.keys(QUIRKS) as QuirkName[];
/** Quirks with which no login succeeds. Rows with options of their own fail for these. */
const FAILING = new Set(
  ROWS.filter(({ plays, options }) => plays === 'login fails' && !options).flatMap(({ quirks }) => quirks),
);
const WORKING = NAMES.filter((name) => !FAILING.has(name));

const runningCrypto = countWebCrypto();

/** Clients at a provider with random quirks, whose users and faults act at random. */
export async function walk(seed: number, plant: PlantedFault = (fetch) => fetch): Promise<Walk> {
  const random = new SeededRandom(seed);
  const pool = random.chance(0.9) ? WORKING : NAMES;
  const quirks = Array.from({ length: random.below(MAX_QUIRKS + 1) }, () => random.pick(pool));
  const withoutSettings = random.chance(0.15);
  const course = start(random, [...new Set(quirks)], withoutSettings, plant);
  if (!course) return { quirks, logins: 0, refreshes: 0, violation: undefined };
  const violation = await course.run();
  const { logins, refreshes } = course.ledger;
  const about = `seed ${seed}, quirks ${quirks.join(', ')}${withoutSettings ? ', without settings' : ''}`;
  return { quirks, logins, refreshes, violation: violation && `${about}, ${violation}` };
}

/** @returns undefined if the server refuses the options */
function start(
  random: SeededRandom,
  quirks: readonly QuirkName[],
  withoutSettings: boolean,
  plant: PlantedFault,
): Course | undefined {
  try {
    return new Course(random, quirks, withoutSettings, plant);
  } catch (error) {
    if (error instanceof SessionError && error.code === 'configuration') return undefined;
    throw error;
  }
}

class Course {
  readonly #random: SeededRandom;
  readonly #play: Play;
  readonly #endsOtherGrants: boolean;
  readonly #guests: Guest[] = [];
  readonly #clock: SettlingClock = new SettlingClock(() => this.ledger.underWay > 0 || runningCrypto() > 0);
  readonly ledger: ProviderLedger;
  #close: () => Promise<void> = async () => undefined;
  /** Whether requests can fail. */
  #isFaulty = false;

  constructor(
    random: SeededRandom,
    quirks: readonly QuirkName[],
    withoutSettings: boolean,
    plant: PlantedFault,
  ) {
    this.#random = random;
    this.#endsOtherGrants = withoutSettings && quirks.includes('revocation_ends_all_grants');
    let ledger: ProviderLedger | undefined;
    this.#play = new Play({ quirks, withoutSettings }, undefined, {
      clock: this.#clock,
      runtimeOf: (provider, clock) => {
        ledger = new ProviderLedger(provider, clock);
        return { fetch: plant(ledger.fetch), random: random.bytes };
      },
      whenOver: (close) => {
        this.#close = close;
      },
    });
    if (!ledger) throw new Error('The play has not asked for its runtime.');
    this.ledger = ledger;
  }

  /** @returns the violation with its step */
  async run(): Promise<string | undefined> {
    const violation = await this.#walkThrough();
    const unclosed = await this.#finish('close', this.#close()).then(() => undefined, textOf);
    return violation ?? unclosed;
  }

  async #walkThrough(): Promise<string | undefined> {
    let step = 0;
    let action: Action = 'logIn';
    try {
      for (const user of ['alice', 'alice', 'bob']) {
        const client = await this.#finish('connect', this.#play.connect(this.#random.pick(ERAS)));
        const guest = new Guest(user, client, this.#play, this.ledger);
        this.#guests.push(guest);
        await this.#act('logIn', guest);
      }
      for (; step < STEPS; step++) {
        action = this.#random.pick(DECK);
        await this.#act(action, this.#random.pick(this.#guests));
      }
      return undefined;
    } catch (error) {
      return `step ${step} (${action}): ${textOf(error)}`;
    }
  }

  async #act(action: Action, guest: Guest): Promise<void> {
    const others = this.#guests.filter((other) => other !== guest && other.held?.isAlive);
    const [minMs, spanMs] = WAITS_MS[action] ?? [0, 0];
    await this.#finish(action, this.#perform(action, guest));
    await this.#clock.advance(minMs + this.#random.below(spanMs));
    if (['logIn', 'renew', 'call', 'reject', 'logOut'].includes(action) && !this.#endsOtherGrants) {
      if (others.some(({ held }) => !held?.isAlive))
        throw new Violation('An action of one session has ended the grant of another.');
    }
    for (const each of this.#guests) await this.#finish('session_status', each.check());
    this.#checkProvider();
  }

  async #perform(action: Action, guest: Guest): Promise<void> {
    const { provider } = this.#play;
    switch (action) {
      case 'logIn':
        return guest.logIn({}, !this.#isFaulty);
      case 'renew':
        return guest.logIn({ renew: true }, !this.#isFaulty);
      case 'call':
        return guest.call('who');
      case 'reject':
        return guest.call('rejected');
      case 'wait':
      case 'waitForRefresh':
      case 'waitForExpiry':
        return;
      case 'endGrants':
        if (provider.livingUsers().includes(guest.user)) provider.endGrant(guest.user);
        return;
      case 'startMaintenance':
        this.#isFaulty = true;
        return provider.startMaintenance();
      case 'mend':
        this.#isFaulty = false;
        return provider.mend();
      case 'loseAnswer':
        this.#isFaulty = true;
        return provider.failNext('token', 'lost');
      case 'refuseConnection':
        this.#isFaulty = true;
        return provider.failNext('token', 'refused');
      case 'echoSecret':
        this.#isFaulty = true;
        return provider.failNext('token', this.#echo());
      case 'logOut':
        return guest.logOut();
    }
  }

  /** An error that no standard has, in whose texts is a secret of the walk. */
  #echo(): Exclude<ProviderFault, string> {
    const secret = this.#random.pick(['brewing', ...this.ledger.secrets]);
    const error = this.#random.pick(['brewing', secret]);
    const body = JSON.stringify({ error, error_description: `Not with ${secret}` });
    return { status: 418, body, headers: { 'content-type': 'application/json' } };
  }

  /**
   * Lets time pass while a call waits for it, as the repetition of a refresh does.
   * @throws Violation if the call does not end
   */
  async #finish<T>(what: string, call: Promise<T>): Promise<T> {
    let isOver = false;
    const over = call.finally(() => {
      isOver = true;
    });
    over.catch(() => undefined);
    for (let pauses = 0; !isOver; pauses++) {
      await this.#clock.settle(MAX_TURNS, () => isOver);
      if (isOver) break;
      if (pauses === MAX_PAUSES) throw new Violation(`${what} does not end. It waits for ${this.#pending}`);
      await this.#clock.advance(PAUSE_MS);
    }
    return over;
  }

  /** What a call without an end could wait for. */
  get #pending(): string {
    const { timers } = this.#clock;
    return `${this.ledger.underWay} responses, ${runningCrypto()} operations or ${timers} timers.`;
  }

  #checkProvider(): void {
    const { log, events, failures } = this.#play;
    if (this.ledger.maxRepetitions > 1)
      throw new Violation('A consumed refresh token was sent again, twice.');
    for (const event of events) {
      if (event.type === 'provider.failed' && !event.setting && !event.advice)
        throw new Violation(`A failure names no next step: ${event.reason}`);
    }
    if (failures.some(({ reason }) => !reason)) throw new Violation('A failure has no reason in the log.');
    const said = `${this.#guests.map((guest) => guest.takeTexts()).join('\n')}${JSON.stringify([log, events])}`;
    for (const secret of this.ledger.secrets)
      if (said.includes(secret)) throw new Violation(`A secret is in a text: ${secret.slice(0, 12)}…`);
    log.length = 0;
    events.length = 0;
  }
}

function textOf(error: unknown): string {
  return error instanceof Violation ? error.message : inspect(error);
}
