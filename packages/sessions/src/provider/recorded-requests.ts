/** A request, and what the provider answered. */
interface RecordedAnswer {
  /** Without the query, which may contain a secret. */
  readonly address: string;
  readonly answered: string;
  /** Absent if there was no answer. */
  readonly status: number | undefined;
  /** Whether the request sent a form, as requests for tokens do. */
  readonly isForm: boolean;
}

/** Sends requests, and records what was answered. */
export class RecordedRequests {
  readonly answers: RecordedAnswer[] = [];
  readonly #fetch: typeof fetch;
  readonly #wallClock: () => number;
  #clockDifference: number | undefined;

  constructor(fetch: typeof globalThis.fetch, wallClock: () => number = Date.now) {
    this.#fetch = fetch;
    this.#wallClock = wallClock;
  }

  /** By how many seconds the clock of the latest answer is ahead. `undefined`: no answer had a date. */
  get clockDifference(): number | undefined {
    return this.#clockDifference;
  }

  /** The hosts of all requests. */
  get hosts(): readonly string[] {
    return [...new Set(this.answers.map(({ address }) => new URL(address).host))];
  }

  /** Whether any request was answered. */
  get wasAnswered(): boolean {
    return this.answers.some(({ status }) => status !== undefined);
  }

  /** Whether no request used TLS. */
  get isPlain(): boolean {
    return this.answers.length > 0 && this.answers.every(({ address }) => address.startsWith('http:'));
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const { origin, pathname } = new URL(input instanceof Request ? input.url : input);
    const request = { address: `${origin}${pathname}`, isForm: init?.body instanceof URLSearchParams };
    const sentAtMs = this.#wallClock();
    try {
      const response = await this.#fetch(input, init);
      const { status, headers } = response;
      this.#noteDate(headers.get('date'), sentAtMs);
      const answered = `${status} ${headers.get('content-type') ?? ''}`.trim();
      this.answers.push({ ...request, answered, status });
      return response;
    } catch (error) {
      this.answers.push({ ...request, answered: 'no answer', status: undefined });
      throw error;
    }
  };

  /** The answer was written between the request and now, in a clock that shows whole seconds. */
  #noteDate(date: string | null, sentAtMs: number): void {
    const dateMs = date === null ? Number.NaN : Date.parse(date);
    if (Number.isNaN(dateMs)) return;
    const aheadMs = dateMs - this.#wallClock();
    const behindMs = sentAtMs - dateMs - 1000;
    this.#clockDifference =
      aheadMs > 0 ? Math.round(aheadMs / 1000) : -Math.max(0, Math.round(behindMs / 1000));
  }
}
