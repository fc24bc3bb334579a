import { inspect } from 'node:util';
import type { ProviderOptions, SessionEvent, Sessions } from '../../packages/sessions/src/index.js';
import type { QuirkName } from '../../packages/sessions/src/testing/index.js';
import { Play } from '../e2e/provider-play.js';
import { SeededRandom } from '../support/seeded-random.js';
import { SettlingClock } from '../support/settling-clock.js';
import { ERAS } from '../support/transcribed-server.js';
import { countWebCrypto } from '../support/web-crypto.js';
import { type Action, ALONE, DECK, WAITS_MS } from './actions.js';
import { echo, WIDE_FIELD, widened } from './answers.js';
import { Guest } from './guest.js';
import { JWKS_ADDRESS, logoutToken } from './logout-tokens.js';
import { checkFailures } from './provider-failures.js';
import { type DeliveredLogin, identityOf, ProviderLedger } from './provider-ledger.js';
import { Violation } from './violation.js';

/** A fault of the server, as if its code had it. */
export interface PlantedFault {
  /** Changes what the server receives from the provider. */
  readonly fetch?: (fetch: typeof globalThis.fetch) => typeof globalThis.fetch;
  /** Changes what clients receive from the server. */
  readonly serve?: (handle: Sessions['handleRequest']) => Sessions['handleRequest'];
  /** Which events there are. */
  readonly isHeard?: (event: SessionEvent) => boolean;
}

const STEPS = 30;
/** How many turns of the event loop a call gets before the clock goes on, and how far. */
const MAX_TURNS = 200;
const PAUSE_MS = 500;
/** A call that waits for longer has no end: the server has no longer limit. */
const MAX_PAUSES = 600;
/** How long the server has to notice what the user of a code has done, and how often until the code has expired. */
const POLL_MS = 30_000;
const MAX_POLLS = 30;

const runningCrypto = countWebCrypto();

/** What a walk is like. */
export interface CourseOptions {
  readonly random: SeededRandom;
  readonly quirks: readonly QuirkName[];
  /** Whether the server has no options for the quirks. */
  readonly withoutSettings: boolean;
  readonly plant: PlantedFault;
}

/** Clients, users and a provider that act at random. */
export class Course {
  readonly #random: SeededRandom;
  readonly #play: Play;
  readonly #endsOtherGrants: boolean;
  readonly #guests: Guest[] = [];
  readonly #clock: SettlingClock = new SettlingClock(() => this.ledger.underWay > 0 || runningCrypto() > 0);
  readonly ledger: ProviderLedger;
  #close: () => Promise<void> = async () => undefined;
  /** Whether requests can fail. */
  #isFaulty = false;

  constructor({ random, quirks, withoutSettings, plant }: CourseOptions) {
    this.#random = random;
    // A seed leads to the same actions after a change of what the server uses random numbers for.
    const ofServer = new SeededRandom(random.below(2 ** 32));
    this.#endsOtherGrants = withoutSettings && quirks.includes('revocation_ends_all_grants');
    let ledger: ProviderLedger | undefined;
    const optionsOf = ({ endpoints, tokenFields = [], ...own }: ProviderOptions): ProviderOptions => ({
      ...own,
      ...(endpoints && { endpoints: { ...endpoints, jwks: JWKS_ADDRESS } }),
      tokenFields: [...tokenFields, WIDE_FIELD],
      deviceFlow: 'allowed',
    });
    this.#play = new Play({ quirks, withoutSettings, identity: identityOf }, optionsOf, {
      clock: this.#clock,
      runtimeOf: (provider, clock) => {
        ledger = new ProviderLedger(provider, clock);
        const { fetch = (same) => same } = plant;
        return { fetch: fetch(ledger.fetch), random: ofServer.bytes };
      },
      ...(plant.serve && { serve: plant.serve }),
      ...(plant.isHeard && { isHeard: plant.isHeard }),
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
        const { ledger } = this;
        const play = this.#play;
        const era = this.#random.pick(ERAS);
        const options = { user, connect: () => play.connect(era), play, ledger };
        const guest = await this.#finish('connect', Guest.connect(options));
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
    const others = this.#guests
      .filter((other) => other !== guest)
      .flatMap(({ held }) => (held?.isAlive ? [{ held, sends: held.sends }] : []));
    const [minMs, spanMs] = WAITS_MS[action] ?? [0, 0];
    if (action === 'logInByCode') await this.#logInByCode(guest);
    else await this.#finish(action, this.#perform(action, guest));
    await this.#clock.advance(minMs + this.#random.below(spanMs));
    // A refresh that was sent meanwhile may have failed.
    const hasEndedOther = others.some(({ held, sends }) => !held.isAlive && held.sends === sends);
    if (ALONE.has(action) && !this.#endsOtherGrants && hasEndedOther)
      throw new Violation('An action of one session has ended the grant of another.');
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
      case 'failUserInfo':
        this.#isFaulty = true;
        return provider.failNext('userinfo', { status: 503 });
      case 'echoSecret':
        this.#isFaulty = true;
        return provider.failNext('token', echo(this.#random, this.ledger.secrets));
      case 'widenAnswer':
        return provider.failNext('token', widened);
      case 'logOut':
        return guest.logOut();
      case 'logOutAtProvider':
        return this.#logOutAtProvider(guest);
      case 'end':
        return guest.end();
      case 'signOutByOperator': {
        const { subject } = (await this.#play.sessions.list()).flatMap(({ accounts }) => accounts)[0] ?? {};
        if (subject === undefined) return;
        await this.#play.sessions.signOut({ subject });
        for (const each of this.#guests) if (!(await each.keepsLogin())) each.endedElsewhere();
        return;
      }
      case 'logInByCode':
        return;
    }
  }

  async #logInByCode(guest: Guest): Promise<void> {
    const decision = this.#random.pick(['approve', 'approve', 'approve', 'deny', 'expire'] as const);
    const userCode = await this.#finish('login by a code', guest.startByCode(decision));
    if (userCode === undefined) return;
    // A login that had not been completed has failed by now.
    const before = { userCode, events: this.#play.events.length };
    for (let polls = 0; polls < MAX_POLLS; polls++) {
      await this.#clock.advance(POLL_MS);
      const hasToSucceed = decision === 'approve' && !this.#isFaulty;
      if (await this.#finish('login by a code', guest.hasEndedByCode(before, hasToSucceed))) return;
    }
    throw new Violation('A login is pending although its code has expired.');
  }

  /** Sends a logout token for the user, the session at the provider, or both. */
  async #logOutAtProvider({ user, held }: Guest): Promise<void> {
    const { provider } = this.#play;
    const { name = '', issuer, clientId } = provider.options;
    const sid = held?.origin.sid;
    const who = this.#random.pick([{ sub: user }, ...(sid ? [{ sid }, { sub: user, sid }] : [])]);
    const body = new URLSearchParams({ logout_token: logoutToken(issuer, clientId, who) });
    const address = `http://127.0.0.1:3000/login/logout/${name}`;
    const { status } = await this.#play.handleRequest(new Request(address, { method: 'POST', body }));
    const isNamed = (login: DeliveredLogin | undefined) =>
      'sid' in who ? login?.origin.sid === who.sid : login?.origin.sub === user;
    for (const each of this.#guests) {
      const isKept = await each.keepsLogin();
      if (status === 200 && isNamed(each.held) && isKept)
        throw new Violation('A login is kept whose user has logged out at the provider.');
      if (status === 200 && each.user === user && !isKept) each.endedElsewhere();
    }
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
    if (this.ledger.hasRepeatedDeviceCode)
      throw new Violation('A device code was sent again after its tokens had come.');
    if (this.ledger.refreshedAfterItsEnd) throw new Violation('A login was refreshed after its end.');
    checkFailures(events, this.ledger.failedRefreshes);
    this.ledger.failedRefreshes = 0;
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
