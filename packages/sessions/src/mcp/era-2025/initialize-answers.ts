import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server';
import { propertyOf } from '../wire/json-rpc.js';

const REVISIONS: ReadonlySet<unknown> = new Set(SUPPORTED_PROTOCOL_VERSIONS);

/**
 * The answers to `initialize`, for each revision that a client can ask for. They are learned from the server objects of
 * connections: as long as `tools` does the same for each connection, all of them give the same answer, and a new
 * connection needs none to be answered.
 */
export class InitializeAnswers {
  /** The results, as JSON. */
  readonly #results = new Map<unknown, string>();
  readonly #onDifferent: () => void;
  #isSame = true;

  /** @param onDifferent called once, when two answers differ. Default: ignored */
  constructor(onDifferent: () => void = () => undefined) {
    this.#onDifferent = onDifferent;
  }

  /** Whether all answers have been the same. */
  get isSame(): boolean {
    return this.#isSame;
  }

  /** The answer to a request, as JSON; `undefined` if a server object has to answer. */
  answerTo(body: unknown): string | undefined {
    const result = this.#isSame ? this.#results.get(revisionOf(propertyOf(body, 'params'))) : undefined;
    return result && `{"result":${result},"jsonrpc":"2.0","id":${JSON.stringify(propertyOf(body, 'id'))}}`;
  }

  /**
   * Learns the answer of a server object. After two that differ, `answerTo` answers nothing any more: `tools` makes
   * different server objects.
   * @param params the parameters of `initialize`
   * @param result as JSON; `undefined` if the author handles `initialize`, or is told of each client
   */
  learn(params: unknown, result: string | undefined): void {
    const revision = revisionOf(params);
    if (result === undefined) this.#isSame = false;
    else if (REVISIONS.has(revision)) {
      const known = this.#results.get(revision) ?? result;
      if (this.#isSame && known !== result) this.#onDifferent();
      this.#isSame &&= known === result;
      this.#results.set(revision, known);
    }
  }

  /** Forgets what it has learned, because `tools` has failed. */
  forget(): void {
    this.#results.clear();
  }
}

function revisionOf(params: unknown): unknown {
  return propertyOf(params, 'protocolVersion');
}
