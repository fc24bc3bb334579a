import fc from 'fast-check';
import { expect, it } from 'vitest';
import type {
  GrantedTokens,
  RefreshOutcome,
} from '../../packages/sessions/src/account/refresh/granted-tokens.js';
import type { PendingAttempt } from '../../packages/sessions/src/login/attempt-record.js';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import type { Secret } from '../../packages/sessions/src/vault/secret.js';
import { allRefs } from '../support/all-refs.js';
import { LoginBench } from '../support/login-bench.js';
import { whileClockMoves } from '../support/moving-clock.js';
import type { ScriptedProvider } from '../support/scripted-provider.js';
import { SessionBench } from '../support/session-bench.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const CODE_LIFETIME_MS = 5 * 60 * 1000;
const USERS = ['alice', 'alice', 'bob'] as const;
const SLOTS = ['connection', 'pending-handle', 'pending-handle'] as const;

/** What changes the use of a grant without new tokens from a login. */
const ENDS = [
  'confirm',
  'confirm, and the store fails',
  'wrong codes',
  'decline',
  'start another login',
  'logout',
  'end',
  'refresh',
  'give up',
  'promote',
  'promote, and the store fails',
] as const;
const LOGINS = ['login', 'login, and the store fails', 'login by code'] as const;

type End = { readonly what: (typeof ENDS)[number]; readonly slot: number };
type Login = { readonly what: (typeof LOGINS)[number]; readonly slot: number; readonly user: string };
type Expiry = { readonly what: 'codes expire' };

interface Step {
  readonly first: Login | End | Expiry;
  /** Begins after so many microtasks of the first. */
  readonly second?: { readonly change: End; readonly ticks: number };
}

const slot = fc.nat(SLOTS.length - 1);
const end: fc.Arbitrary<End> = fc.record({ what: fc.constantFrom(...ENDS), slot });
const login: fc.Arbitrary<Login> = fc.record({
  what: fc.constantFrom(...LOGINS),
  slot,
  user: fc.constantFrom(...USERS),
});
const first = fc.oneof(
  { weight: 5, arbitrary: login },
  { weight: 6, arbitrary: end },
  { weight: 1, arbitrary: fc.constant<Expiry>({ what: 'codes expire' }) },
);
const alone: fc.Arbitrary<Step> = fc.record({ first });
const together: fc.Arbitrary<Step> = fc.record({
  first,
  second: fc.record({ change: end, ticks: fc.nat(40) }),
});

/** What the provider keeps for a user and this client. Revoking any token ends all of them. */
interface Grant {
  isAlive: boolean;
  revocations: number;
}

/** A provider with one grant for each user. */
class OneGrantProvider {
  readonly #grants = new Map<string, Grant>();
  readonly #ofToken = new Map<string, Grant>();
  readonly #scripted: ScriptedProvider;

  constructor(scripted: ScriptedProvider) {
    this.#scripted = scripted;
  }

  /** All grants so far, dead or alive. */
  get grants(): Grant[] {
    return [...new Set(this.#ofToken.values())];
  }

  grantOf(token: Secret): Grant {
    const grant = this.#ofToken.get(token.reveal());
    if (!grant) throw new Error('The provider has not issued this token.');
    return grant;
  }

  issue(user: string): GrantedTokens {
    const known = this.#grants.get(user);
    const grant = known?.isAlive ? known : { isAlive: true, revocations: 0 };
    this.#grants.set(user, grant);
    const granted = this.#scripted.grant(user);
    const { accessToken, refreshToken } = granted.tokens;
    for (const token of [accessToken, refreshToken]) if (token) this.#ofToken.set(token.reveal(), grant);
    return granted;
  }

  refresh(refreshToken: Secret): RefreshOutcome {
    if (!this.grantOf(refreshToken).isAlive) return { kind: 'grant_revoked' };
    return { kind: 'granted', granted: this.issue(refreshToken.reveal().split('-')[1] ?? '') };
  }

  revoke(accessToken: Secret): void {
    const grant = this.grantOf(accessToken);
    grant.isAlive = false;
    grant.revocations++;
  }
}

/** Sessions of several users at one server. */
class Server {
  readonly #bench: SessionBench;
  readonly provider: OneGrantProvider;
  readonly #logins: LoginBench;
  readonly #refs = new Map<number, SessionRef>();
  /** The login of each slot that was started last. */
  readonly #started = new Map<number, PendingAttempt>();
  /** The pending login of each slot, with the tokens and the code that it waits for. */
  readonly #waiting = new Map<number, { attempt: PendingAttempt; grant: Grant; code: string }>();

  constructor() {
    const bench = new SessionBench({
      lifetimes: { idleMs: DAY_MS, absoluteMs: DAY_MS },
      grantProviders: ['idp'],
      refreshTokens: async (_provider, refreshToken) => this.provider.refresh(refreshToken),
      revokeTokens: async (_provider, { accessToken }) => {
        this.provider.revoke(accessToken);
        return 'confirmed';
      },
    });
    this.#bench = bench;
    this.provider = new OneGrantProvider(bench.provider);
    this.#logins = new LoginBench(bench);
  }

  get clock(): VirtualClock {
    return this.#bench.clock;
  }

  /** Starts a session in each slot whose session has ended. */
  async open(): Promise<void> {
    for (const slot of SLOTS.keys()) await this.#record(slot);
  }

  /**
   * Starts the login that a change completes. It supersedes the pending one of its session, whose tokens are revoked
   * long before a user logs in at the provider.
   */
  async prepare(change: Login | End | Expiry): Promise<void> {
    if (!('user' in change)) return;
    const record = await this.#record(change.slot);
    this.#started.set(change.slot, await this.#logins.start(record, { check: 'code' }));
    await this.settle();
  }

  async change(change: Login | End | Expiry): Promise<void> {
    const { registry, refresher, clock } = this.#bench;
    const { completion } = this.#logins;
    if (change.what === 'codes expire') return clock.advance(CODE_LIFETIME_MS);
    const { what, slot } = change;
    const record = await this.#record(slot);
    const account = record.accounts.idp;
    const waiting = this.#waiting.get(slot);
    switch (what) {
      case 'login':
        await completion.complete(this.#startedIn(slot), this.provider.issue(change.user));
        return;
      case 'login, and the store fails':
        this.#failNext('update');
        await completion.complete(this.#startedIn(slot), this.provider.issue(change.user));
        return;
      case 'login by code': {
        const attempt = this.#startedIn(slot);
        const granted = this.provider.issue(change.user);
        const grant = this.provider.grantOf(granted.tokens.accessToken);
        this.#waiting.delete(slot);
        const result = await completion.awaitConfirmation(attempt, granted);
        if (result.kind === 'code') this.#waiting.set(slot, { attempt, grant, code: result.code });
        return;
      }
      case 'confirm':
        if (waiting) await completion.confirm(waiting.attempt, waiting.code);
        return;
      case 'confirm, and the store fails':
        this.#failNext('update');
        if (waiting) await completion.confirm(waiting.attempt, waiting.code);
        return;
      case 'wrong codes':
        for (let tries = 0; waiting && tries < 5; tries++) {
          await completion.confirm(waiting.attempt, 'WRONG');
        }
        return;
      case 'decline':
        if (waiting) await completion.fail(waiting.attempt, 'declined');
        return;
      case 'start another login':
        await this.#logins.start(record, { check: 'code' });
        return;
      case 'logout':
        for (const attempt of await this.#logins.attempts.pendingOf(record.ref))
          await completion.fail(attempt, 'signed_out');
        await registry.signOut(record.ref, 'logout');
        return;
      case 'end':
        await registry.end(record.ref, 'deleted');
        return;
      case 'refresh':
        if (account) await refresher.refresh(record.ref, 'idp', account.generation);
        return;
      case 'give up':
        if (account?.state === 'authenticated') await refresher.giveUp(record, account, 'refresh_lost');
        return;
      case 'promote, and the store fails':
        this.#failNext('startWith');
        await this.#promote(slot, record);
        return;
      case 'promote':
        await this.#promote(slot, record);
        return;
      default:
        return what satisfies never;
    }
  }

  /** Waits for all revocations. */
  async settle(): Promise<void> {
    await this.#bench.clock.advance(0);
    await this.#bench.disposal.settled();
    this.#restore();
  }

  /** Ends all sessions and their pending logins. */
  async close(): Promise<void> {
    await this.#bench.registry.endAll('shutdown');
    await this.settle();
  }

  /** The grant of each login: of an account, or one that waits for its code. */
  async uses(): Promise<Grant[]> {
    const { registry, tokens } = this.#bench;
    const refs = await allRefs(this.#bench.store);
    const records = await Promise.all(refs.map((ref) => registry.get(ref)));
    const ofAccounts = records.flatMap((record) => {
      const account = record?.accounts.idp;
      const held = record && account?.state === 'authenticated' ? tokens.open(record, account) : undefined;
      return held ? [this.provider.grantOf(held.accessToken)] : [];
    });
    const waiting = [...this.#waiting.values()].map(async ({ attempt, grant }) => {
      const current = await this.#logins.attempts.get(attempt.key);
      return current && !current.outcome && current.unconfirmed ? [grant] : [];
    });
    return [...ofAccounts, ...(await Promise.all(waiting)).flat()];
  }

  async #record(slot: number): Promise<SessionRecord> {
    const { registry } = this.#bench;
    const ref = this.#refs.get(slot);
    const record =
      (ref && (await registry.get(ref))) ??
      (await registry.start(SLOTS[slot] ?? 'connection', 'owner')).record;
    this.#refs.set(slot, record.ref);
    return record;
  }

  #startedIn(slot: number): PendingAttempt {
    const attempt = this.#started.get(slot);
    if (!attempt) throw new Error('No login was started.');
    return attempt;
  }

  async #promote(slot: number, record: SessionRecord): Promise<void> {
    if (record.kind !== 'pending-handle' || !record.accounts.idp) return;
    const promoted = await this.#bench.accounts.promote(record);
    if (promoted) this.#refs.set(slot, promoted.record.ref);
  }

  #failNext(method: 'startWith' | 'update'): void {
    const fail = () => {
      this.#restore();
      return Promise.reject<never>(new Error('down'));
    };
    Object.assign(this.#bench.registry, { [method]: fail });
  }

  /** The methods of the prototype are back. */
  #restore(): void {
    for (const method of ['startWith', 'update']) Reflect.deleteProperty(this.#bench.registry, method);
  }
}

/** The store fails for one of the changes, or the grant has ended before a refresh. */
function ignore(error: { message: string; code?: string }): void {
  expect(error.code ?? error.message).toMatch(/^(down|reauthentication_required)$/);
}

async function run(steps: readonly Step[]): Promise<void> {
  const server = new Server();
  for (const { first, second } of steps) {
    await server.open();
    await server.prepare(first);
    const before = await server.uses();
    const revokedBefore = new Map(server.provider.grants.map((grant) => [grant, grant.revocations]));
    const changing = [server.change(first).catch(ignore)];
    if (second) {
      for (let tick = 0; tick < second.ticks; tick++) await Promise.resolve();
      changing.push(server.change(second.change).catch(ignore));
    }
    // A refresh that the store fails pauses before it looks again.
    await whileClockMoves(server.clock, Promise.all(changing));
    await server.settle();
    const uses = await server.uses();
    for (const grant of server.provider.grants) {
      const count = (grants: readonly Grant[]) => grants.filter((each) => each === grant).length;
      expect(grant.isAlive).toBe(count(uses) > 0);
      if (second) continue;
      // A login that replaces another one is a use that ends, too.
      const revocations = grant.revocations - (revokedBefore.get(grant) ?? 0);
      expect(revocations).toBeLessThanOrEqual(Math.max(1, count(before)));
    }
  }
  await server.close();
  expect(server.provider.grants.filter(({ isAlive }) => isAlive)).toEqual([]);
}

it('a grant ends with its last login, and never before, in any order of logins and ends [security 22]', async () => {
  await fc.assert(fc.asyncProperty(fc.array(alone, { maxLength: 15 }), run), { numRuns: 150 });
});

it('a grant ends with its last login, and never before, if two of these happen together [security 22]', async () => {
  await fc.assert(fc.asyncProperty(fc.array(together, { maxLength: 10 }), run), { numRuns: 150 });
});
