import type { Blueprint } from './blueprint.js';
import { Book } from './book.js';
import { ending } from './clean-up.js';
import { type Answer, Client } from './client.js';
import { Generator } from './generator.js';
import { Histogram } from './histogram.js';
import { brokenRule } from './rules.js';

/** Requests that are under way at the same time. */
const WORKERS = 32;

/** A request whose answer breaks a rule. */
export interface Finding {
  /** `undefined`: it cleaned up after others. */
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
}

/** Sends the requests of a seed, and looks at every answer. */
export class Fuzzer {
  readonly histogram: Histogram = new Histogram();
  readonly #secrets: readonly string[];
  readonly #generator: Generator;
  readonly #client: Client;
  readonly #book: Book;
  #finding: Finding | undefined;

  constructor({ origin, seed, secrets }: FuzzerOptions) {
    this.#secrets = secrets;
    this.#generator = new Generator(seed);
    this.#client = new Client(origin, WORKERS);
    this.#book = new Book(origin, secrets);
  }

  /** Sends the requests with these numbers, and stops at the first answer that breaks a rule. */
  async run(from: number, to: number, workers: number = WORKERS): Promise<Finding | undefined> {
    let next = from;
    const work = async () => {
      while (next < to && !this.#finding) {
        const number = next++;
        await this.#send(this.#generator.request(number), number);
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
    return this.#finding;
  }

  /** Ends every throw-away session. */
  async cleanUp(): Promise<Finding | undefined> {
    for (const session of this.#book.throwAways) await this.#send(ending(session), undefined);
    return this.#finding;
  }

  close(): void {
    this.#client.close();
  }

  async #send(blueprint: Blueprint, number: number | undefined): Promise<void> {
    const { request, learn } = this.#book.open(blueprint);
    const answer = await this.#client.send(request);
    if (number !== undefined) this.histogram.add(request, answer);
    const rule = brokenRule(request, answer, this.#secrets);
    if (rule !== undefined) this.#finding ??= { number, rule, request, answer };
    for (const displaced of learn(answer)) await this.#send(ending(displaced), undefined);
  }
}
