/** The endpoints of a provider that can fail. */
export type ProviderEndpoint =
  | 'discovery'
  | 'token'
  | 'userinfo'
  | 'revocation'
  | 'device'
  | 'pushed_authorization';

/**
 * How a request to a provider fails.
 *
 * - `refused`: the connection is refused; the provider does nothing.
 * - `lost`: the provider carries the request out, and the connection breaks before the response.
 * - a status: the provider responds with it and does nothing.
 * - a function: the provider carries the request out, and the function changes or delays the response.
 */
export type ProviderFault =
  | 'refused'
  | 'lost'
  | {
      readonly status: number;
      readonly retryAfterSeconds?: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | ((response: Response) => Response | Promise<Response>);

/** The planned faults of a provider. */
export class ProviderFaults {
  readonly #next: { readonly endpoint: ProviderEndpoint; readonly fault: ProviderFault }[] = [];
  readonly #lasting = new Map<ProviderEndpoint, ProviderFault>();

  addNext(endpoint: ProviderEndpoint, fault: ProviderFault): void {
    this.#next.push({ endpoint, fault });
  }

  setLasting(endpoint: ProviderEndpoint, fault: ProviderFault): void {
    this.#lasting.set(endpoint, fault);
  }

  clear(): void {
    this.#lasting.clear();
    this.#next.length = 0;
  }

  /** Carries a request out with the next fault of its endpoint. */
  async apply(
    endpoint: ProviderEndpoint,
    respond: () => Promise<Response>,
    signal: AbortSignal | null | undefined,
  ): Promise<Response> {
    const fault = this.#take(endpoint);
    if (fault === 'refused') throw connectionError('ECONNREFUSED');
    if (typeof fault === 'object') return failureResponse(fault);
    const response = await respond();
    if (fault === 'lost') throw connectionError('ECONNRESET');
    return fault ? unlessAborted(signal, fault(response)) : response;
  }

  #take(endpoint: ProviderEndpoint): ProviderFault | undefined {
    const index = this.#next.findIndex((planned) => planned.endpoint === endpoint);
    return index === -1 ? this.#lasting.get(endpoint) : this.#next.splice(index, 1)[0]?.fault;
  }
}

/** The error with which `fetch` rejects if a connection fails. */
export function connectionError(code: string): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
}

/** Rejects when `signal` aborts, as `fetch` does. */
export async function unlessAborted<T>(
  signal: AbortSignal | null | undefined,
  value: T | Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([value, aborted]);
  } finally {
    if (abort) signal?.removeEventListener('abort', abort);
  }
}

function failureResponse(fault: Extract<ProviderFault, { status: number }>): Response {
  const headers = new Headers(fault.headers);
  if (fault.retryAfterSeconds !== undefined) headers.set('retry-after', String(fault.retryAfterSeconds));
  return new Response(fault.body ?? null, { status: fault.status, headers });
}
