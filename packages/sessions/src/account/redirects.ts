const MAX_REDIRECTS = 5;
/** The headers that describe a body, which are removed together with it (Fetch standard, section 4.4). */
const BODY_HEADERS = [
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-type',
];

/** The response to a request after its redirects. */
export interface FollowedResponse {
  readonly response: Response;
  /** Whether a redirect led to another origin, so that the token was removed. */
  readonly hasLeft: boolean;
}

/**
 * Sends a request with the given `Authorization`, and follows up to five redirects. A redirect to another origin
 * (another scheme, host or port) becomes a GET without the token, the body and the headers of the request, also if a
 * later redirect leads back. After the fifth redirect, or if the body can be read only once, the redirect itself is the
 * response.
 * @throws TypeError as `fetch` does; its messages contain no header and no URL
 */
export async function followRedirects(
  fetch: typeof globalThis.fetch,
  start: URL,
  init: RequestInit,
  authorization: string,
): Promise<FollowedResponse> {
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

/** Whether a body can be sent more than once. */
export function isReplayable(body: RequestInit['body']): boolean {
  return !(body instanceof ReadableStream) && !isAsyncIterable(body);
}

function isAsyncIterable(body: unknown): boolean {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body && !(body instanceof Blob);
}

/**
 * Parses an http or https URL without credentials. Errors of the platform would quote the URL and the secrets in it.
 */
function callable(address: string | URL, base?: URL): URL {
  const url = URL.canParse(address, base) ? new URL(address, base) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw new TypeError('The API redirects to a URL that is neither http nor https.');
  if (url.username || url.password)
    throw new TypeError('The URL contains a user name or a password. Remove them.');
  return url;
}

/** Builds the headers. Errors of the platform would quote a header's value. */
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

/** The request for another origin: a GET or HEAD without headers, body and referrer. */
function bare(request: RequestInit): RequestInit & { headers: Headers } {
  const { headers: _headers, body: _body, referrer: _referrer, ...rest } = request;
  return {
    ...rest,
    method: request.method?.toUpperCase() === 'HEAD' ? 'HEAD' : 'GET',
    headers: new Headers(),
  };
}
