import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** The headers of a request, by names in lower case: web-standard ones, or Node's. */
export interface RequestHeaders {
  get(name: string): string | null;
  has(name: string): boolean;
  keys(): Iterable<string>;
}

/** The headers of a request of Node, without a copy. No header may occur twice: Node keeps one of some names only. */
export class NodeHeaders implements RequestHeaders {
  readonly #headers: IncomingHttpHeaders;

  constructor({ headers }: IncomingMessage) {
    this.#headers = headers;
  }

  get(name: string): string | null {
    const value = this.#headers[name];
    return value === undefined ? null : String(value);
  }

  has(name: string): boolean {
    return this.#headers[name] !== undefined;
  }

  keys(): Iterable<string> {
    return Object.keys(this.#headers);
  }
}
