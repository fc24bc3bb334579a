import { SessionError } from '../../packages/sessions/src/errors.js';
import { AccountTokens } from '../../packages/sessions/src/session/account-tokens.js';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { InternalEvent } from '../../packages/sessions/src/session/session-events.js';
import { isSignedIn, type SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';
import type { Ports } from '../../packages/sessions/src/store/ports.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { wipeTokenSet } from '../../packages/sessions/src/vault/token-set.js';
import { type SealedRecord, Vault } from '../../packages/sessions/src/vault/vault.js';
import type { ModelledEngineOptions } from '../support/modelled-engine.js';
import type { NodeClock } from '../support/node-clock.js';
import { SeededRandom } from '../support/seeded-random.js';
import type { SessionBenchParts } from '../support/session-bench.js';
import { Ledger } from './ledger.js';
import { RedisEngine } from './redis-engine.js';
import type { EngineObserver, SharedEngine } from './shared-engine.js';
import { type SendRefresh, SimulatedNode } from './simulated-node.js';
import { type ProviderFaults, SimulatedProvider } from './simulated-provider.js';
import { StoresEngine } from './stores-engine.js';

/** The parts of the library that a simulation replaces, to check that it finds planted bugs. */
export interface PlantedParts extends SessionBenchParts {
  readonly createDeadlines?: ModelledEngineOptions['createDeadlines'];
  /** Its result replaces the function that sends a refresh. */
  readonly wrapSend?: (send: SendRefresh) => SendRefresh;
  readonly wrapStore?: (store: SessionStore, clock: VirtualClock) => SessionStore;
  /** Replaces the ports of each node of Redis. */
  readonly wrapPorts?: (ports: Ports) => Ports;
  /** Changes the text of the scripts of Redis. */
  readonly patchScripts?: (lua: string) => string;
}

export interface WorldFaults extends Omit<ProviderFaults, 'freezes'> {
  /** The maximum latency of the store, in milliseconds each way; `0` answers in the same tick. */
  readonly storeDelayMs: number;
  /** The probability that a call to the store, or its answer, is lost. */
  readonly storeLosses: number;
  /** The probability that the API rejects a valid token. */
  readonly apiRefusals: number;
  /** The maximum number of sessions. */
  readonly maxSessions: number;
}

/** How many refreshes a node asks a provider for at the same time, at most. */
const MOST_REFRESHING = 50;

export interface WorldOptions {
  readonly faults: WorldFaults;
  /** The number of nodes that share the sessions. */
  readonly nodes: number;
  /** What they share: stores behind a network, or Redis. */
  readonly engine: 'stores' | 'redis';
}

/** How far the clocks of nodes are ahead of that of an engine at most, and how much faster or slower they are. */
const LARGEST_SKEW_MS = 10 * 60_000;
const LARGEST_DRIFT = 5e-5;
/** The difference between two clocks that follow an engine, and another one after a failover. */
const LARGEST_CLOCK_ERROR_MS = 500;

/** The environment of a simulation: clock, store, provider, API, and the library. */
export class World {
  readonly random: SeededRandom;
  readonly clock: VirtualClock = new VirtualClock();
  readonly provider: SimulatedProvider;
  readonly ledger: Ledger;
  readonly nodes: SimulatedNode[];
  readonly engine: SharedEngine;
  readonly #createNode: () => SimulatedNode;
  readonly #tokens: AccountTokens;
  readonly #faults: WorldFaults;
  readonly #nodeCount: number;
  /** The number of sign-outs of a session at each version of its record. */
  readonly #signOuts = new Map<string, number>();
  readonly #seals = new Set<SealedRecord>();
  /** The sessions that a node has removed without an answer, or has not removed. */
  readonly #unanswered = new Set<unknown>();
  #isCalm = false;
  #hasCrashed = false;
  /** Whether the engine has lost writes or answers. */
  #hasLost = false;

  constructor(seed: number, { faults, nodes, engine }: WorldOptions, planted: PlantedParts = {}) {
    this.#faults = faults;
    this.#nodeCount = nodes;
    this.followsOthers = engine === 'redis';
    this.random = new SeededRandom(seed);
    const { random, clock } = this;
    this.provider = new SimulatedProvider(random, clock, { ...faults, freezes: nodes > 1 ? 0.02 : 0 });
    this.ledger = new Ledger({
      families: this.provider.families,
      epochOf: (ref) => this.#recordOf(ref)?.epoch ?? 0,
      now: () => clock.now(),
      clockErrorMs: engine === 'redis' ? LARGEST_CLOCK_ERROR_MS : 0,
      mayLag: nodes > 1,
      mayEndTwice: (ref) => nodes > 1 && this.#unanswered.has(ref),
    });
    const { createVault = (keys, bytes) => new Vault(keys, bytes) } = planted;
    const keys = new KeyHierarchy(random.bytes(32));
    this.engine = engine === 'redis' ? this.#redisEngine(keys, planted) : this.#storesEngine(planted);
    this.#createNode = () =>
      new SimulatedNode({
        clock,
        keys,
        random: random.bytes,
        maxSessions: faults.maxSessions,
        clockError: engine === 'redis' ? this.#clockError() : { aheadMs: 0, drift: 0 },
        engine: this.engine,
        provider: this.provider,
        wrapSend: planted.wrapSend,
        onRevocation: (token) => this.#inspectRevocation(token),
        callApi: (...request) => this.#callApi(...request),
        listener: (event) => this.#note(event),
        parts: { ...planted, createVault: (made, bytes) => this.#watched(createVault(made, bytes)) },
      });
    this.nodes = Array.from({ length: nodes }, this.#createNode);
    this.#tokens = new AccountTokens(createVault(keys, random.bytes));
  }

  /** The events of all nodes. */
  readonly events: InternalEvent[] = [];

  /** A node that runs; `undefined` if all are stopped. */
  runningNode(): SimulatedNode | undefined {
    const running = this.nodes.filter(({ clock }) => !clock.isFrozen);
    return running.length > 0 ? this.random.pick(running) : undefined;
  }

  /** Kills a node. Another one takes its place. */
  crash(node: SimulatedNode): void {
    this.#hasCrashed = true;
    node.clock.crash();
    this.nodes[this.nodes.indexOf(node)] = this.#createNode();
  }

  /** Whether nodes follow the changes of each other, so that each knows why it aborts a call. */
  readonly followsOthers: boolean;

  /** Whether a session has been in the engine without a sign-out since it had this record. */
  goesOn(record: SessionRecord): boolean {
    const current = this.#recordOf(record.ref);
    return current?.epoch === record.epoch && this.signOutsOf(current) === this.signOutsOf(record);
  }

  #recordOf(ref: string): SessionRecord | undefined {
    // Only references are asked for.
    return this.engine.records.get(ref as SessionRef);
  }

  /** Stops all nodes, for good. */
  stopNodes(): void {
    for (const { clock } of this.nodes) clock.crash();
  }

  #note(event: InternalEvent): void {
    this.events.push(event);
    this.ledger.handle(event);
  }

  /** Whether no message to or from the store and the provider is in transit. */
  get isAtRest(): boolean {
    return this.engine.travelling === 0 && this.provider.travelling === 0;
  }

  /** How many sign-outs a session had seen when this was its record. */
  signOutsOf({ ref, version }: Pick<SessionRecord, 'ref' | 'version'>): number {
    return this.#signOuts.get(`${ref} ${version}`) ?? 0;
  }

  /** From now on nothing fails, and no message is lost. */
  calmDown(): void {
    this.#isCalm = true;
    this.engine.calmDown();
    this.provider.calmDown();
  }

  /** Opens the sealed tokens in the store, and checks their owners. */
  inspectRecords(): void {
    const contradiction = this.engine.contradiction();
    if (contradiction) this.ledger.violated(contradiction);
    for (const record of this.engine.records.values()) {
      for (const account of Object.values(record.accounts)) {
        const tokens = this.#tokens.open(record, account);
        if (!tokens) continue;
        this.ledger.found(tokens.accessToken.reveal(), record.ref);
        wipeTokenSet(tokens);
      }
    }
  }

  /** The invariants without running work: the counts agree, and unused secrets are wiped. */
  inspectRest(): void {
    // Copies that another node has cannot be wiped.
    if (this.nodes.length > 1) return;
    const inUse = new Set<SealedRecord | undefined>();
    for (const { accounts } of this.engine.records.values()) {
      for (const { sealed } of Object.values(accounts)) inUse.add(sealed);
    }
    for (const sealed of this.#seals) {
      const isWiped = sealed.bytes.every((byte) => byte === 0) && sealed.salt.every((byte) => byte === 0);
      if (isWiped) this.#seals.delete(sealed);
      else if (!inUse.has(sealed) && this.#faults.storeLosses === 0)
        this.ledger.violated('Sealed tokens that no session has were not wiped.');
    }
  }

  /** The invariant after a time without faults of the provider: every login has been refreshed. */
  inspectFreshness(): void {
    const now = this.clock.now();
    for (const { kind, accounts } of this.engine.records.values()) {
      if (kind === 'pending-handle') continue;
      for (const { state, hasRefreshToken, expiresAtMs = 0, failures } of Object.values(accounts)) {
        const isFresh = now < expiresAtMs && failures === undefined;
        if (state === 'authenticated' && hasRefreshToken && !isFresh)
          this.ledger.violated('A login was not renewed although its provider was well again.');
      }
    }
  }

  /** The invariants of the requests to the provider, at any time. */
  inspectRequests(): void {
    const { families, mostRefreshing } = this.provider;
    for (const misuse of families.misuses) this.ledger.violated(misuse);
    // The limit protects each process (rule 42), and only that: that a token is sent once depends on claims (rule 52).
    if (mostRefreshing > MOST_REFRESHING * this.nodes.length)
      this.ledger.violated(`${mostRefreshing} refreshes were under way at the same time.`);
  }

  /** The invariant of a revocation: it may end the whole grant (RFC 7009 section 2.1), so no session has it. */
  #inspectRevocation(token: string): void {
    const { families } = this.provider;
    const family = families.of(token);
    if (families.isExcused(family)) return;
    for (const record of this.engine.records.values()) {
      for (const account of Object.values(record.accounts)) {
        const tokens = this.#tokens.open(record, account);
        if (!tokens) continue;
        if (families.of(tokens.accessToken.reveal()) === family)
          this.ledger.violated('A grant was revoked that a session still has.');
        wipeTokenSet(tokens);
      }
    }
  }

  /** The invariants at the end: no secret is left, here or at the provider. */
  inspectEnd(): void {
    this.inspectRest();
    this.inspectRequests();
    const errors = this.nodes.flatMap(({ bench }) => bench.errors);
    for (const [what, count] of Object.entries(this.engine.leftovers())) {
      if (count > 0) this.ledger.violated(`At the end, ${count} ${what} are left.`);
    }
    const living = this.provider.families.living();
    // Tokens whose store reply was lost, or whose node has crashed, cannot have been revoked.
    if (living.length > 0 && this.#faults.storeLosses === 0 && !this.#hasCrashed && !this.#hasLost)
      this.ledger.violated(`${living.length} logins were never revoked at the provider.`);
    const unexpected = errors.filter((error) => !isLoss(error));
    if (unexpected.length > 0) this.ledger.violated(`An internal error: ${String(unexpected[0])}`);
  }

  #clockError(): { readonly aheadMs: number; readonly drift: number } {
    const { random } = this;
    return { aheadMs: random.below(LARGEST_SKEW_MS), drift: (2 * random.fraction() - 1) * LARGEST_DRIFT };
  }

  #storesEngine({ wrapStore = (store) => store, createDeadlines }: PlantedParts): StoresEngine {
    const { clock, random } = this;
    const { storeDelayMs: delayMs, storeLosses: losses } = this.#faults;
    return new StoresEngine({
      clock,
      random,
      delayMs,
      losses,
      // One node wipes the very buffers that the engine has: the simulation looks at them.
      copies: this.#nodeCount > 1,
      createDeadlines,
      observer: this.#observer,
      wrapStore,
    });
  }

  #redisEngine(keys: KeyHierarchy, planted: PlantedParts): RedisEngine {
    const { wrapStore = (store) => store, wrapPorts = (ports) => ports, patchScripts } = planted;
    const { clock, random } = this;
    const { storeDelayMs: delayMs, storeLosses: losses } = this.#faults;
    const observer = this.#observer;
    return new RedisEngine({
      clock,
      random,
      delayMs,
      losses,
      keys,
      observer,
      wrapStore,
      wrapPorts,
      patchScripts,
    });
  }

  readonly #observer: EngineObserver = {
    // The invariant of the limit. What a failover has lost is written again although others have come meanwhile.
    inserted: (sizeBefore) => {
      if (this.engine.records.size > Math.max(this.#faults.maxSessions, sizeBefore))
        this.ledger.violated('There are more sessions than the limit allows.');
    },
    replacing: (next, ifVersion) => this.#replacing(next, ifVersion),
    removedPerhaps: (ref) => this.#unanswered.add(ref),
    tookEffectLate: (command) =>
      this.ledger.violated(`A command took effect after its caller had given up: ${command}.`),
    lost: (refs) => {
      this.#hasLost = true;
      this.ledger.excuse(refs);
    },
  };

  #replacing(next: SessionRecord, ifVersion: number): () => void {
    const before = this.#recordOf(next.ref);
    const givenUp = this.#givenUpIn(next, before);
    const isOtherUser = before?.accounts.idp?.subject !== next.accounts.idp?.subject;
    const isSignOut = before !== undefined && isSignedIn(before) && isOtherUser;
    const signOuts = this.signOutsOf({ ref: next.ref, version: ifVersion }) + (isSignOut ? 1 : 0);
    return () => {
      this.#signOuts.set(`${next.ref} ${next.version}`, signOuts);
      if (isSignOut) this.#noteNextUser(next, signOuts);
      for (const refreshToken of givenUp) this.ledger.gaveUp(refreshToken);
    };
  }

  /** The login that has signed out the former user belongs to the session after that. */
  #noteNextUser(record: SessionRecord, signOuts: number): void {
    const tokens = record.accounts.idp && this.#tokens.open(record, record.accounts.idp);
    if (!tokens) return;
    this.ledger.began(this.provider.families.of(tokens.accessToken.reveal()), record, signOuts);
    wipeTokenSet(tokens);
  }

  /** The refresh tokens of the accounts that are without tokens in the next version of a record. */
  #givenUpIn(next: SessionRecord, before: SessionRecord | undefined): string[] {
    return Object.values(before?.accounts ?? {}).flatMap((account) => {
      const isGivenUp = next.accounts[account.provider]?.state === 'reauthentication_required';
      const tokens = isGivenUp && before && this.#tokens.open(before, account);
      if (!tokens) return [];
      const refreshToken = tokens.refreshToken?.reveal();
      wipeTokenSet(tokens);
      return refreshToken === undefined ? [] : [refreshToken];
    });
  }

  #watched(vault: Vault): Vault {
    const seal = vault.seal.bind(vault);
    vault.seal = (plaintext, context) => {
      const sealed = seal(plaintext, context);
      this.#seals.add(sealed);
      return sealed;
    };
    return vault;
  }

  async #callApi(url: string, init: RequestInit = {}, node: NodeClock): Promise<Response> {
    const token = new Headers(init.headers).get('authorization')?.replace('Bearer ', '') ?? '';
    init.signal?.throwIfAborted();
    const [ref = '', signOuts, beganAtMs] = new URL(url).pathname.slice(1).split('/');
    this.ledger.used({ token, ref, signOuts: Number(signOuts), beganAtMs: Number(beganAtMs) });
    const isRefused = !this.#isCalm && this.random.chance(this.#faults.apiRefusals);
    const { families } = this.provider;
    const isAlive = families.isAlive(families.of(token));
    await new Promise<void>((resolve) => node.after(this.random.below(500), resolve));
    init.signal?.throwIfAborted();
    this.ledger.answered(token);
    return new Response(null, { status: isAlive && !isRefused ? 200 : 401 });
  }
}

/** Whether an error comes of messages that were lost on purpose. */
function isLoss(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'store_unavailable';
}
