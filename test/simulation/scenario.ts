import { SessionError } from '../../packages/sessions/src/errors.js';
import type { StreamCloser } from '../../packages/sessions/src/session/presence.js';
import type {
  SessionKind,
  SessionRecord,
  SessionSnapshot,
} from '../../packages/sessions/src/session/session-record.js';
import { finalizersOf } from './finalizers.js';
import { API, type SimulatedNode } from './simulated-node.js';
import type { World } from './world.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Work that has not ended after an hour does not end. */
const LONGEST_TENTHS = 36_000;

/** The longest wait for a refresh, before another action at the same time. */
const LONGEST_MEETING_MS = 15 * MINUTE;

/** The longest times in which no client does anything. */
export interface Pauses {
  readonly rareMs: number;
  readonly usualMs: number;
}

/** A client, as far as it knows its own session. */
interface Client {
  readonly name: string;
  readonly kind: SessionKind;
  record: SessionRecord | undefined;
  /** The session as a tool got it earlier, and kept it. */
  kept: SessionRecord | undefined;
  readonly closeStream: ((by: StreamCloser) => void)[];
}

/** The actions of clients, with their weights. */
const ACTIONS = {
  call: 30,
  callAsBefore: 6,
  logIn: 12,
  touch: 10,
  openStream: 6,
  closeStream: 6,
  logOut: 4,
  meetRefresh: 8,
  finishLogin: 6,
  end: 1,
} as const;
type Action = keyof typeof ACTIONS;

// Object.entries forgets that the keys are the actions.
const DECK = (Object.entries(ACTIONS) as [Action, number][]).flatMap(([action, count]) =>
  Array.from({ length: count }, () => action),
);

/**
 * Clients that act at random, concurrently and in no order. No client waits for another, so a logout can fall
 * between any two steps of the other work in the same session.
 */
export class Scenario {
  readonly #world: World;
  readonly #clients: Client[];
  /** The calls that have not ended, and the node of each. */
  readonly #underWay = new Map<Promise<unknown>, SimulatedNode>();
  #logins = 0;
  steps = 0;

  readonly #pauses: Pauses;

  constructor(world: World, clients: number, pauses: Pauses) {
    this.#world = world;
    this.#pauses = pauses;
    const { random } = world;
    this.#clients = Array.from({ length: clients }, (_, index) => ({
      name: `user${index}`,
      kind: random.chance(0.6) ? 'connection' : 'pending-handle',
      record: undefined,
      kept: undefined,
      closeStream: [],
    }));
  }

  get clients(): number {
    return this.#clients.length;
  }

  /** One client does one thing, and some time passes. */
  async step(): Promise<void> {
    const { random, clock } = this.#world;
    this.steps++;
    const client = random.pick(this.#clients);
    this.#onAnyNode((node) =>
      client.record ? this.#act(node, client, random.pick(DECK)) : this.#start(node, client),
    );
    if (this.#world.nodes.length > 1) this.#disturb();
    if (random.chance(0.02)) clock.jump(random.below(20 * MINUTE));
    await clock.advance(this.#pause());
  }

  /** All clients log in, the machine sleeps until most tokens have expired, and all clients call at once. */
  async rush(): Promise<void> {
    const { clock } = this.#world;
    for (const client of this.#clients)
      if (!client.record) this.#onAnyNode((node) => this.#start(node, client));
    await clock.advance(10 * SECOND);
    for (const client of this.#clients) this.#onAnyNode((node) => this.#act(node, client, 'logIn'));
    await clock.advance(10 * SECOND);
    clock.jump(25 * MINUTE);
    for (const client of this.#clients) this.#onAnyNode((node) => this.#act(node, client, 'call'));
  }

  /** Ends all sessions at once, while other work is running. */
  shutDown(): void {
    for (const node of this.#world.nodes) this.#on(node, ({ bench }) => bench.registry.endAll('shutdown'));
  }

  /** Waits until all work has ended, in the foreground and in the background. */
  async settle(): Promise<void> {
    const { clock, ledger } = this.#world;
    const isBusy = () => this.#underWay.size > 0 || !this.#world.isAtRest;
    for (let tenths = 0; isBusy() && tenths < LONGEST_TENTHS; tenths++) await clock.advance(SECOND / 10);
    if (this.#underWay.size > 0) ledger.violated(`${this.#underWay.size} calls never came to an end.`);
  }

  /** Time in which clients mostly act at once, sometimes wait, and rarely pause for long. */
  #pause(): number {
    const { random } = this.#world;
    if (random.chance(0.02)) return random.below(this.#pauses.rareMs);
    if (random.chance(0.1)) return random.below(this.#pauses.usualMs);
    return random.below(random.chance(0.5) ? 60 : 2 * SECOND);
  }

  /** Runs something on one of the nodes that are not stopped, if there is one. */
  #onAnyNode(run: (node: SimulatedNode) => Promise<unknown>): void {
    const node = this.#world.runningNode();
    if (node) this.#on(node, run);
  }

  #on(node: SimulatedNode, run: (node: SimulatedNode) => Promise<unknown>): void {
    const watched = run(node).catch((error: unknown) => {
      if (!(error instanceof SessionError))
        this.#world.ledger.violated(`An unexpected error: ${String(error)}`);
    });
    const done = watched.finally(() => this.#underWay.delete(done));
    this.#underWay.set(done, node);
  }

  /** Rarely stops a node for a while, and more rarely kills one. */
  #disturb(): void {
    const { random } = this.#world;
    this.#world.engine.disturb();
    const node = random.pick(this.#world.nodes);
    if (random.chance(0.01)) node.clock.freeze(10 * SECOND + random.below(170 * SECOND));
    if (!random.chance(0.003)) return;
    this.#world.crash(node);
    for (const [operation, { clock }] of this.#underWay)
      if (clock.hasCrashed) this.#underWay.delete(operation);
  }

  async #start({ bench }: SimulatedNode, client: Client): Promise<void> {
    const { record } = await bench.registry.start(client.kind, 'holder');
    this.#world.ledger.started(record.ref);
    client.record ??= record;
    if (client.record !== record) await bench.registry.end(record.ref, 'deleted');
  }

  async #act(node: SimulatedNode, client: Client, action: Action): Promise<void> {
    const { registry } = node.bench;
    const known = client.record;
    const { ledger, clock } = this.#world;
    const beganAtMs = clock.now();
    const record = known && (await registry.get(known.ref));
    if (!record) {
      if (known && this.#world.goesOn(known) && !ledger.isExcused(known.ref))
        ledger.violated('A session was not served although it goes on.');
      if (client.record === known) client.record = undefined;
      return;
    }
    ledger.served(record.ref, beganAtMs);
    switch (action) {
      case 'call':
        client.kept ??= record;
        return this.#call(node, record);
      case 'callAsBefore': {
        const { kept = record } = client;
        client.kept = undefined;
        return this.#call(node, kept);
      }
      case 'logIn':
        return this.#logIn(node, client, record);
      case 'finishLogin':
        return this.#finishLogin(node, client, record);
      case 'touch':
        return registry.touch(record.ref);
      case 'openStream':
        client.closeStream.push(registry.streamOpened(record.ref));
        return;
      case 'closeStream':
        client.closeStream.pop()?.(this.#world.random.pick(['client', 'client', 'server']));
        return;
      case 'meetRefresh':
        return this.#meetRefresh(client, record);
      case 'logOut':
        await registry.signOut(record.ref, 'logout');
        return;
      case 'end':
        await registry.end(record.ref, 'deleted');
    }
  }

  async #call({ bench, sessionFetch }: SimulatedNode, record: SessionRecord): Promise<void> {
    if (record.kind === 'pending-handle') return;
    const { random } = this.#world;
    await bench.registry.touch(record.ref);
    const snapshot = leaseOf(record);
    const url = `${API}/${record.ref}/${this.#world.signOutsOf(record)}/${this.#world.clock.now()}`;
    const calls: Promise<Response>[] = [];
    const finalize = finalizersOf(() => {
      for (let count = random.chance(0.1) ? 10 : 1; count > 0; count--)
        calls.push(sessionFetch({ snapshot, preferred: 'idp', given: new Map() }, url, {}));
    });
    void Promise.allSettled(calls).then(finalize);
    await Promise.all(calls).catch((error: unknown) => {
      const isSignedOut = error instanceof SessionError && error.code === 'signed_out';
      if (
        isSignedOut &&
        this.#world.followsOthers &&
        this.#world.goesOn(record) &&
        !this.#world.ledger.isExcused(record.ref)
      )
        this.#world.ledger.violated('A call was aborted although its session goes on.');
      throw error;
    });
  }

  async #logIn({ bench }: SimulatedNode, client: Client, record: SessionRecord): Promise<void> {
    const { provider, ledger, random } = this.#world;
    if (provider.isDown) return;
    // Sometimes another user uses the same client.
    const user = random.chance(0.2) ? `guest${this.#logins++}` : client.name;
    const granted = provider.grant(user);
    const family = provider.families.of(granted.tokens.accessToken.reveal());
    ledger.began(family, record, this.#world.signOutsOf(record));
    try {
      const isCommitted = await bench.accounts.commitLogin(leaseOf(record), 'idp', granted);
      if (!isCommitted) ledger.isOver(family);
    } catch (error) {
      // If only the answer of the store was lost, the session has the login.
      if (!(error instanceof SessionError && error.code === 'store_unavailable')) ledger.isOver(family);
      throw error;
    }
  }

  /** Changes its login while the next refresh is probably running. */
  async #meetRefresh(client: Client, { accounts }: SessionRecord): Promise<void> {
    const { clock, random } = this.#world;
    const inMs = (accounts.idp?.refreshAtMs ?? clock.now()) - clock.now() + random.below(SECOND);
    if (inMs > LONGEST_MEETING_MS) return;
    await new Promise<void>((resolve) => clock.after(inMs, resolve));
    if (client.record)
      this.#onAnyNode((node) => this.#act(node, client, random.pick(['logIn', 'logOut', 'end'])));
  }

  async #finishLogin({ bench }: SimulatedNode, client: Client, record: SessionRecord): Promise<void> {
    if (record.kind !== 'pending-handle' || Object.keys(record.accounts).length === 0) return;
    const promoted = await bench.accounts.promote(record);
    if (!promoted) return;
    this.#world.ledger.moved(record.ref, promoted.record.ref);
    client.record = promoted.record;
  }
}

function leaseOf({ ref, epoch }: SessionRecord): SessionSnapshot {
  return { ref, epoch };
}
