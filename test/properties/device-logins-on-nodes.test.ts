import { describe, expect, it } from 'vitest';
import { MAX_START_MS } from '../../packages/sessions/src/login/device/flow.js';
import { Provider } from '../../packages/sessions/src/provider/provider.js';
import { providerSettings } from '../../packages/sessions/src/provider/provider-settings.js';
import { FaultingProvider, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { LoginBench } from '../support/login-bench.js';
import { ModelledEngine, type ModelledEngineOptions } from '../support/modelled-engine.js';
import { NodeClock } from '../support/node-clock.js';
import { answerOf } from '../support/port-answers.js';
import { SeededRandom } from '../support/seeded-random.js';
import { SessionBench } from '../support/session-bench.js';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const INTERVAL_MS = 5 * SECOND_MS;
const SEEDS = 30;

/** What happens to one of the nodes. */
type Disturbance = 'none' | 'crash' | 'freeze';

interface PolledNode {
  readonly clock: NodeClock;
  readonly bench: SessionBench;
  readonly logins: LoginBench;
}

/** What a provider has seen of the polls of one code, and how the login has ended. */
interface Course {
  readonly maxInFlight: number;
  /** Between an answer and the next poll. */
  readonly minPauseMs: number;
  /** The polls after the one whose answer contained the tokens. */
  readonly pollsAfterGrant: number;
  readonly pollingNodes: number;
  readonly completions: number;
  readonly failures: readonly string[];
  /** Whether the node that got the tokens was disturbed before it had committed them. */
  readonly isCut: boolean;
}

/** A login by a code at two nodes, and a provider that takes its time for answers. */
class DeviceLoginOnNodes {
  readonly #random: SeededRandom;
  readonly clock: VirtualClock = new VirtualClock();
  readonly upstream: FaultingProvider = new FaultingProvider({ name: 'idp' });
  readonly engine: ModelledEngine;
  readonly nodes: readonly [PolledNode, PolledNode];
  readonly #disturbed: { readonly node: NodeClock; readonly atMs: number }[] = [];
  readonly #pollingNodes = new Set<NodeClock>();
  #inFlight = 0;
  #maxInFlight = 0;
  #minPauseMs = Number.POSITIVE_INFINITY;
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  #granted: { readonly node: NodeClock; readonly atMs: number } | undefined;
  #pollsAfterGrant = 0;

  constructor(seed: number, options: Partial<ModelledEngineOptions> = {}) {
    const random = new SeededRandom(seed);
    const { clock } = this;
    this.#random = random;
    const delayMs = random.pick([0, 20, 200]);
    this.engine = new ModelledEngine({ clock, random, delayMs, losses: 0, ...options });
    const keys = new KeyHierarchy(random.bytes(32));
    this.nodes = [this.#join(keys), this.#join(keys)];
  }

  #join(keys: KeyHierarchy): PolledNode {
    const { clock, engine } = this;
    const nodeClock = new NodeClock(clock);
    const bench = new SessionBench({
      clock,
      nodeClock,
      keys,
      createPorts: ({ isPresent }) => engine.portsOf(nodeClock, isPresent),
    });
    const settings = providerSettings({ ...this.upstream.options, deviceFlow: 'allowed' });
    const deviceProvider = new Provider(settings, {
      clock: nodeClock,
      fetch: (input, init) => this.#fetch(nodeClock, input, init),
      onError: () => undefined,
      report: () => undefined,
    });
    const { wallNow } = nodeClock;
    return {
      clock: nodeClock,
      bench,
      logins: new LoginBench(bench, { clock: nodeClock, wallNow, deviceProvider }),
    };
  }

  /** A login of a new session at the first node, which has requested no code yet. */
  async add() {
    const [{ bench, logins }] = this.nodes;
    const { record } = await answerOf(this.clock, bench.registry.start('connection', 'holder'));
    const added = await answerOf(
      this.clock,
      logins.start(record, {
        isDevice: true,
        check: 'unchecked',
        dueAtMs: this.clock.now() + MAX_START_MS,
      }),
    );
    return { record, added };
  }

  async run(disturbance: Disturbance): Promise<Course> {
    const { clock, engine, upstream } = this;
    const [random, [{ logins }]] = [this.#random, this.nodes];
    engine.isCalm = true;
    const { record, added } = await this.add();
    const { device } = await answerOf(clock, logins.deviceFlow.start(added));
    engine.isCalm = false;
    clock.after(random.below(40 * SECOND_MS), () => this.#disturb(disturbance));
    clock.after(random.below(50 * SECOND_MS), () => upstream.approve(device?.userCode ?? '', 'alice'));
    await clock.advance(5 * MINUTE_MS);
    const completions = await this.#accountsOf(record.ref);
    await clock.advance(7 * MINUTE_MS);
    return {
      maxInFlight: this.#maxInFlight,
      minPauseMs: this.#minPauseMs,
      pollsAfterGrant: this.#pollsAfterGrant,
      pollingNodes: this.#pollingNodes.size,
      completions,
      failures: this.nodes.flatMap(({ bench }) =>
        bench.eventsOf('login.failed').map(({ failure }) => failure),
      ),
      isCut: this.#isCut,
    };
  }

  /** How many accounts have come into being. */
  async #accountsOf(ref: Parameters<SessionBench['registry']['get']>[0]): Promise<number> {
    this.engine.isCalm = true;
    const alive = this.nodes.find((node) => !node.clock.hasCrashed) ?? this.nodes[0];
    const account = (await answerOf(this.clock, Promise.resolve(alive.bench.registry.get(ref))))?.accounts
      .idp;
    this.engine.isCalm = false;
    const events = this.nodes.flatMap(({ bench }) => bench.eventsOf('account.authenticated'));
    return Math.max(events.length, account ? 1 : 0);
  }

  get #isCut(): boolean {
    const granted = this.#granted;
    if (!granted) return false;
    return this.#disturbed.some(
      ({ node, atMs }) => node === granted.node && (node.hasCrashed || atMs > granted.atMs - 2 * MINUTE_MS),
    );
  }

  #disturb(disturbance: Disturbance): void {
    if (disturbance === 'none') return;
    const { clock: node } = this.#random.pick(this.nodes);
    this.#disturbed.push({ node, atMs: this.clock.now() });
    if (disturbance === 'crash') node.crash();
    else node.freeze((5 + this.#random.below(100)) * SECOND_MS);
  }

  async #fetch(node: NodeClock, ...[input, init]: Parameters<typeof fetch>): Promise<Response> {
    // The code of a crashed node still runs here. Nothing of it reaches the provider.
    if (node.hasCrashed) return new Promise(() => undefined);
    const isPoll = init?.body instanceof URLSearchParams && init.body.has('device_code');
    if (!isPoll) return this.upstream.fetch(input, init);
    this.#polled(node);
    await new Promise<void>((resolve) => this.clock.after(this.#random.below(9 * SECOND_MS), resolve));
    // A node that is gone cannot abort what it has sent.
    const response = await this.upstream.fetch(input, { ...init, signal: null });
    this.#inFlight--;
    this.#answeredAtMs = this.clock.now();
    if (response.ok) this.#granted = { node, atMs: this.clock.now() };
    return new Promise((resolve) => node.run(() => resolve(response)));
  }

  #polled(node: NodeClock): void {
    this.#pollingNodes.add(node);
    this.#inFlight++;
    this.#maxInFlight = Math.max(this.#maxInFlight, this.#inFlight);
    this.#minPauseMs = Math.min(this.#minPauseMs, this.clock.now() - this.#answeredAtMs);
    if (this.#granted) this.#pollsAfterGrant++;
  }
}

/** The courses of a login in each of a number of networks. */
async function coursesOf(
  disturbance: Disturbance,
  options: Partial<ModelledEngineOptions> = {},
): Promise<Course[]> {
  const courses: Course[] = [];
  for (let seed = 1; seed <= SEEDS; seed++)
    courses.push(await new DeviceLoginOnNodes(seed, options).run(disturbance));
  return courses;
}

describe('a login by a code at two nodes', () => {
  it('is polled by both, at the interval of the provider, and completes once', async () => {
    const courses = await coursesOf('none');
    expect(courses.filter(({ completions, failures }) => completions !== 1 || failures.length > 0)).toEqual(
      [],
    );
    expect(
      courses.filter(({ maxInFlight, pollsAfterGrant }) => maxInFlight !== 1 || pollsAfterGrant > 0),
    ).toEqual([]);
    expect(Math.min(...courses.map(({ minPauseMs }) => minPauseMs))).toBeGreaterThanOrEqual(INTERVAL_MS);
    expect(Math.max(...courses.map(({ pollingNodes }) => pollingNodes))).toBe(2);
  });

  it.each(['crash', 'freeze'] as const)(
    'is polled by the other node after one has stopped, and never by two at once: %s [security 15]',
    async (disturbance) => {
      const courses = await coursesOf(disturbance);
      expect(courses.filter(({ maxInFlight }) => maxInFlight !== 1)).toEqual([]);
      expect(Math.min(...courses.map(({ minPauseMs }) => minPauseMs))).toBeGreaterThanOrEqual(INTERVAL_MS);
      const whole = courses.filter(({ isCut }) => !isCut);
      expect(whole.filter(({ completions, failures }) => completions !== 1 || failures.length > 0)).toEqual(
        [],
      );
      expect(whole.filter(({ pollsAfterGrant }) => pollsAfterGrant > 0)).toEqual([]);
      expect(whole.length).toBeGreaterThan(SEEDS / 4);
      expect(courses.filter(({ completions, failures }) => completions > 1 || failures.length > 1)).toEqual(
        [],
      );
    },
  );

  it('is polled by one node at a time, and completes once at most, if messages are lost', async () => {
    const courses = await coursesOf('none', { losses: 0.05 });
    expect(courses.filter(({ maxInFlight }) => maxInFlight > 1)).toEqual([]);
    expect(courses.filter(({ completions, failures }) => completions > 1 || failures.length > 1)).toEqual([]);
    expect(courses.filter(({ completions }) => completions === 1).length).toBeGreaterThan(SEEDS / 2);
  });

  it('has the same code for calls that reach both nodes', async () => {
    const login = new DeviceLoginOnNodes(1);
    const { clock, upstream } = login;
    const [one, other] = login.nodes;
    const { added } = await login.add();
    const codes = await answerOf(
      clock,
      Promise.all([other.logins.deviceFlow.waitForCode(added), one.logins.deviceFlow.start(added)]),
    );
    expect(codes.map(({ device }) => device?.userCode)).toEqual(['CODE-1', 'CODE-1']);
    expect(upstream.requests.device).toBe(1);
  });

  it('gets its code from the other node if the one that was about to request it has crashed', async () => {
    const login = new DeviceLoginOnNodes(2);
    const { clock, upstream } = login;
    const [one, other] = login.nodes;
    const { added } = await login.add();
    one.clock.crash();
    const waiting = other.logins.deviceFlow.waitForCode(added);
    await clock.advance(MAX_START_MS + 6 * SECOND_MS);
    expect((await waiting).device?.userCode).toBe('CODE-1');
    expect(upstream.requests.device).toBe(1);
  });
});
