import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SessionStates } from '../../packages/sessions/src/account/session-state.js';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import {
  isSignedIn,
  type SessionRecord,
  type SessionSnapshot,
  snapshotOf,
} from '../../packages/sessions/src/session/session-record.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { Vault } from '../../packages/sessions/src/vault/vault.js';
import { SessionBench } from '../support/session-bench.js';

const PROVIDERS = ['idp', 'other'];
const DAY_MS = 24 * 60 * 60 * 1000;

type Change =
  | { readonly kind: 'login'; readonly person: string; readonly provider: string }
  | { readonly kind: 'logout'; readonly provider: string | undefined }
  /** The access tokens expire, so the next use refreshes them. */
  | { readonly kind: 'expiry' };

interface Step {
  readonly change: Change;
  /** The microtasks between the start of the change and the uses of all session objects. */
  readonly ticks: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  change: fc.oneof(
    { weight: 4, arbitrary: login() },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('logout' as const),
        provider: fc.constantFrom(...PROVIDERS, undefined),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'expiry' as const }) },
  ),
  ticks: fc.nat(40),
});

function login(): fc.Arbitrary<Change> {
  return fc.record({
    kind: fc.constant('login' as const),
    person: fc.constantFrom('alice', 'bob', 'carol'),
    provider: fc.constantFrom(...PROVIDERS),
  });
}

/** A session object that a call keeps, and the persons whose account, token or state it had. */
interface Kept {
  readonly session: SessionSnapshot;
  readonly persons: Set<string>;
}

/** A session that several persons use one after another. */
class SharedSession {
  readonly bench = new SessionBench({ lifetimes: { idleMs: DAY_MS, absoluteMs: DAY_MS } });
  readonly states: SessionStates;
  readonly kept: Kept[] = [];
  /** The providers at which the session had an account since its last sign-out. */
  readonly #providers = new Set<string>();
  readonly #kind: 'connection' | 'handle';
  /** Who has set each state. */
  readonly #setBy = new Map<number, Kept>();
  #ref: SessionRef | undefined;
  #person: string | undefined;

  constructor(kind: 'connection' | 'handle') {
    this.#kind = kind;
    const { registry, keys, sessionEvents } = this.bench;
    this.states = new SessionStates({ registry, vault: new Vault(keys, systemRandom) });
    sessionEvents.subscribe((event) => this.states.handleEvent(event));
  }

  /** The record between two steps. The client gets the handle that `login` returns, or starts a session. */
  async record(): Promise<SessionRecord> {
    const { registry, accounts } = this.bench;
    const record = this.#ref && (await registry.get(this.#ref));
    const promoted = record?.kind === 'pending-handle' ? await accounts.promote(record) : undefined;
    const current = promoted?.record ?? record ?? (await registry.start(this.#kind, 'owner')).record;
    this.#ref = current.ref;
    if (!isSignedIn(current)) this.#signedOut();
    return current;
  }

  async keep(): Promise<void> {
    const record = await this.record();
    const persons = new Set(Object.values(record.accounts).map(({ subject }) => subject));
    expect([...persons]).toEqual(this.#person === undefined ? [] : [this.#person]);
    this.kept.push({ session: snapshotOf(record), persons });
  }

  async change(change: Change): Promise<void> {
    const { accounts, registry, clock, provider } = this.bench;
    const { ref, epoch } = await this.record();
    switch (change.kind) {
      case 'login':
        if (!this.#noteLogin(change.person, change.provider)) return;
        await accounts.commitLogin({ ref, epoch }, change.provider, provider.grant(change.person));
        return;
      case 'logout':
        if (change.provider === undefined) await registry.signOut(ref, 'logout');
        else await accounts.remove(ref, change.provider);
        return;
      case 'expiry':
        await clock.advance(601_000);
    }
  }

  async useAll(): Promise<void> {
    await Promise.all(this.kept.map((kept) => this.#use(kept)));
  }

  /** What a session object gives: the persons, or the code of the error. */
  async #use(kept: Kept): Promise<void> {
    const { accounts } = this.bench;
    const number = this.#setBy.size;
    this.#setBy.set(number, kept);
    await Promise.all([
      attempt(async () => {
        for (const { subject } of await accounts.list(kept.session)) kept.persons.add(subject);
      }),
      ...PROVIDERS.map((provider) =>
        attempt(async () => {
          const { accessToken } = await accounts.accessToken(kept.session, provider);
          kept.persons.add(accessToken.reveal().split('-')[1] ?? '');
        }),
      ),
      attempt(async () => {
        const { value } = await this.states.get(kept.session);
        const author = value === undefined ? undefined : this.#setBy.get(Number(value));
        for (const person of author?.persons ?? []) kept.persons.add(person);
      }),
      attempt(() => this.states.set(kept.session, number)),
    ]);
  }

  /** The invariants between two steps. */
  async check(): Promise<void> {
    await this.record();
    for (const kept of this.kept) {
      expect(kept.persons.size).toBeLessThanOrEqual(1);
      const [person] = kept.persons;
      if (person === undefined || person === this.#person) continue;
      for (const use of [
        () => this.bench.accounts.list(kept.session),
        () => this.bench.accounts.accessToken(kept.session, 'idp'),
        () => this.states.get(kept.session),
        () => this.states.set(kept.session, 'late'),
      ]) {
        await expect(use()).rejects.toMatchObject({ code: 'signed_out' });
      }
      expect(this.bench.registry.signalOf(kept.session).aborted).toBe(true);
    }
  }

  /** @returns `false` for a login that the server cannot tell from a second account of the same person */
  #noteLogin(person: string, provider: string): boolean {
    const isOther = this.#person !== undefined && this.#person !== person;
    if (isOther && !this.#providers.has(provider)) return false;
    if (isOther) this.#providers.clear();
    this.#person = person;
    this.#providers.add(provider);
    return true;
  }

  #signedOut(): void {
    this.#person = undefined;
    this.#providers.clear();
  }
}

async function attempt(use: () => Promise<unknown>): Promise<void> {
  await use().catch((error: { code?: string }) =>
    expect(error.code).toMatch(/^(signed_out|login_required|reauthentication_required)$/),
  );
}

it.each(['connection', 'handle'] as const)(
  'nothing of one person is in reach of another who logs in to the same session (%s) [security 8, 10]',
  async (kind) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 10 }), async (steps) => {
        const shared = new SharedSession(kind);
        for (const { change, ticks } of steps) {
          await shared.keep();
          const changing = shared.change(change);
          for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
          await shared.useAll();
          await changing;
          await shared.check();
        }
      }),
      { numRuns: 60 },
    );
  },
);
