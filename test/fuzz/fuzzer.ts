import type { Tokens } from './access-tokens.js';
import type { Blueprint } from './blueprint.js';
import { ending } from './clean-up.js';
import { type Answer, Client } from './client.js';
import { Generator } from './generator.js';
import { Histogram } from './histogram.js';
import { KnownValues, type OpenedRequest } from './known-values.js';
import { LoginCoverage } from './login-coverage.js';
import { cpuBudgetMs, cpuCost, isTooExpensive } from './resource-limits.js';
import { brokenRule } from './rules.js';
import { SerialQueues } from './serial-queues.js';
import { MAX_WAITING_CALLS, WaitingCalls } from './waiting-calls.js';

/** The number of requests in flight. */
const WORKERS = 32;

/** A request whose response breaks a rule. */
export interface Finding {
  /** `undefined` for requests that end temporary sessions. */
  readonly number: number | undefined;
  readonly rule: string;
  readonly request: Blueprint;
  readonly answer: Answer;
}

export interface FuzzerOptions {
  readonly origin: string;
  readonly seed: number;
  /** The ids and handles of the members. */
  readonly secrets: readonly string[];
  /** The access tokens of requests; `undefined` in open access. */
  readonly tokens: Tokens | undefined;
}

/** Sends the requests of a seed, and checks every response. */
export class Fuzzer {
  readonly histogram: Histogram = new Histogram();
  readonly depth: LoginCoverage = new LoginCoverage();
  readonly #secrets: readonly string[];
  readonly #generator: Generator;
  readonly #client: Client;
  readonly #known: KnownValues;
  readonly #held: WaitingCalls = new WaitingCalls();
  readonly #queues: SerialQueues = new SerialQueues();
  #finding: Finding | undefined;
  /** The maximum CPU time of a request, in milliseconds. */
  dearest = 0;

  constructor({ origin, seed, secrets, tokens }: FuzzerOptions) {
    this.#secrets = secrets;
    this.#generator = new Generator(seed, tokens ? 'bearer' : 'open');
    this.#client = new Client(origin, WORKERS + MAX_WAITING_CALLS);
    this.#known = new KnownValues(origin, secrets, tokens);
  }

  /** Sends the requests with these numbers until a response breaks a rule. */
  async run(from: number, to: number, workers: number = WORKERS): Promise<Finding | undefined> {
    let next = from;
    const work = async () => {
      while (next < to && !this.#finding) {
        const number = next++;
        this.#held.pass(number);
        const blueprint = this.#generator.request(number);
        const send = () => this.#send(blueprint, number);
        // The steps of one login are sequential. Other requests run between them.
        await (blueprint.steps && blueprint.pendingLogin !== undefined
          ? this.#queues.run(blueprint.pendingLogin, send)
          : send());
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
    await this.#held.end();
    return this.#finding;
  }

  /** Ends all temporary sessions. */
  async cleanUp(): Promise<Finding | undefined> {
    for (const session of this.#known.temporarySessions) await this.#send(ending(session), undefined);
    return this.#finding;
  }

  /**
   * Sends requests one at a time, with nothing else under way, and stops at the first that breaks a rule or costs too
   * much CPU.
   * @param usedCpuMs how much the server has used so far
   */
  async runAlone(
    requests: readonly Blueprint[],
    usedCpuMs: () => Promise<number>,
  ): Promise<Finding | undefined> {
    for (const request of requests) {
      if (this.#finding) break;
      const cost = await cpuCost(() => this.#exchange(this.#known.open(request), undefined), usedCpuMs);
      this.dearest = Math.max(this.dearest, cost.cpuMs);
      if (!isTooExpensive(cost)) continue;
      const rule = `it costs ${Math.round(cost.cpuMs)} ms of CPU, and may cost ${cpuBudgetMs(cost.answer)}`;
      this.#finding ??= { number: undefined, rule, request, answer: cost.answer };
    }
    return this.#finding;
  }

  /** The requests with these numbers that do not wait for a user. */
  requests(from: number, to: number): Blueprint[] {
    return Array.from({ length: to - from }, (_, at) => this.#generator.request(from + at)).filter(
      ({ patience, steps }) => patience === undefined && steps === undefined,
    );
  }

  close(): void {
    this.#client.close();
  }

  /** Sends a request, and waits for its response unless that waits for a user. */
  async #send(blueprint: Blueprint, number: number | undefined): Promise<void> {
    const opened = this.#known.open(blueprint);
    const { patience } = opened.request;
    if (patience === undefined || number === undefined) {
      await this.#exchange(opened, number);
      return;
    }
    const givenUp = new AbortController();
    this.#held.add({
      answered: this.#exchange(opened, number, givenUp.signal).then(() => undefined),
      untilNumber: number + patience,
      abandon: () => givenUp.abort(),
    });
  }

  async #exchange(
    { request, learn }: OpenedRequest,
    number: number | undefined,
    givenUp?: AbortSignal,
  ): Promise<Answer> {
    const answer = await this.#client.send(request, givenUp);
    if (number !== undefined) {
      this.histogram.add(request, answer);
      this.depth.add(request, answer);
    }
    const rule = brokenRule(request, answer, this.#secrets);
    if (rule !== undefined) this.#finding ??= { number, rule, request, answer };
    for (const displaced of learn(answer)) await this.#send(ending(displaced), undefined);
    return answer;
  }
}
