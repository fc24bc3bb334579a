const MAX_REDIRECTS = 5;
/** Headers about a body go with it (Fetch standard, section 4.4). */
const BODY_HEADERS = [
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-type',
];

/** What a request led to. */
export interface Followed {
  readonly response: Response;
  /** Whether a redirect has left the origin, and so the token. */
  readonly hasLeft: boolean;
}

/**
 * Sends a request with the given `Authorization`, and follows redirects. One to another origin, which another scheme
 * or port is, too, leaves everything behind: it becomes a GET without token, body or any header of the request, and
 * stays so when it leads back. After the fifth redirect, or with a body that can be read only once, the redirect is
 * the answer.
 * @throws TypeError as `fetch` does; none of its messages quotes a header or an address
 */
export async function followRedirects(
  fetch: typeof globalThis.fetch,
  start: URL,
  init: RequestInit,
  authorization: string,
): Promise<Followed> {
  let url = callable(start);
  let hasLeft = false;
  let request = { ...init, headers: headersOf(init.headers, { authorization }) };
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url, { ...request, redirect: 'manual' });
    const location = response.headers.get('location');
    if (!isRedirect(response.status) || !location || init.redirect === 'manual') return { response, hasLeft };
    if (init.redirect === 'error')
      throw new TypeError('The API redirects, and the caller allows no redirect.');
    if (redirects === MAX_REDIRECTS || !isReplayable(request.body)) return { response, hasLeft };
    await response.body?.cancel();
    const next = callable(location, url);
    const isHere = next.origin === url.origin;
    request = isHere ? redirected(request, response.status) : bare(request);
    hasLeft ||= !isHere;
    url = next;
  }
}

/** Whether a body can be sent again. */
export function isReplayable(body: RequestInit['body']): boolean {
  return !(body instanceof ReadableStream) && !isAsyncIterable(body);
}

function isAsyncIterable(body: unknown): boolean {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body && !(body instanceof Blob);
}

/** An address that can be called. What the platform throws otherwise quotes it, with the secrets in it. */
function callable(address: string | URL, base?: URL): URL {
  const url = URL.canParse(address, base) ? new URL(address, base) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw new TypeError('The API redirects to a URL that is neither http nor https.');
  if (url.username || url.password)
    throw new TypeError('The URL contains a user name or a password. Remove them.');
  return url;
}

/** What the platform throws about a header quotes its value. */
function headersOf(given: RequestInit['headers'], own: Readonly<Record<string, string>>): Headers {
  try {
    const headers = new Headers(given);
    for (const [name, value] of Object.entries(own)) headers.set(name, value);
    return headers;
  } catch {
    throw new TypeError('A header of this call has a name or a value that HTTP does not allow.');
  }
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** The request after a redirect: a 303, and a POST's 301 or 302, turn it into a GET (Fetch standard, section 4.4). */
function redirected<T extends RequestInit & { headers: Headers }>(request: T, status: number): T {
  const method = request.method?.toUpperCase() ?? 'GET';
  const becomesGet =
    status === 303 ? method !== 'GET' && method !== 'HEAD' : status < 303 && method === 'POST';
  if (!becomesGet) return request;
  for (const name of BODY_HEADERS) request.headers.delete(name);
  return { ...request, method: 'GET', body: null };
}

/** What is left of a request for an origin that it was not meant for: how it is sent, and until when. */
function bare(request: RequestInit): RequestInit & { headers: Headers } {
  const { headers: _headers, body: _body, referrer: _referrer, ...rest } = request;
  return {
    ...rest,
    method: request.method?.toUpperCase() === 'HEAD' ? 'HEAD' : 'GET',
    headers: new Headers(),
  };
}
