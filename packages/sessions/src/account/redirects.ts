import { currentTraceparent } from '../telemetry/trace-context.js';

const MAX_REDIRECTS = 5;
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** The headers that describe a body (Fetch standard, section 4.4). */
const BODY_HEADERS = ['encoding', 'language', 'length', 'location', 'type'].map((name) => `content-${name}`);

/** The response to a request after its redirects. */
export interface FollowedResponse {
  readonly response: Response;
  /** Whether a redirect led to another origin, so that the token was removed. */
  readonly leftOrigin: boolean;
}

/**
 * Sends a request with the given `Authorization` and the `traceparent` of the active span, and follows up to five
 * redirects. A redirect to another origin (another scheme, host or port) becomes a GET without the token, the trace, the
 * body and the headers of the request, also if a later redirect leads back. After the fifth redirect, or if the body can
 * be read only once, the redirect itself is the response.
 * @throws TypeError as `fetch` does; its messages contain no header and no URL
 */
export async function followRedirects(
  fetch: typeof globalThis.fetch,
  start: URL,
  init: RequestInit,
  authorization: string,
): Promise<FollowedResponse> {
  let url = httpUrl(start);
  let request = { ...init, headers: authorizedHeaders(init.headers, authorization) };
  let leftOrigin = false;
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url, { ...request, redirect: 'manual' });
    const location = REDIRECT_STATUSES.has(response.status) && response.headers.get('location');
    if (!location || init.redirect === 'manual') return { response, leftOrigin };
    if (init.redirect === 'error')
      throw new TypeError('The API redirects, and the caller allows no redirect.');
    if (redirects === MAX_REDIRECTS || !isReplayable(request.body)) return { response, leftOrigin };
    await response.body?.cancel();
    const next = httpUrl(location, url);
    const leaves = next.origin !== url.origin;
    request = leaves ? withoutContents(request) : redirected(request, response.status);
    leftOrigin ||= leaves;
    url = next;
  }
}

/** Whether a body can be sent more than once: streams and other async iterables cannot. */
export function isReplayable(body: RequestInit['body']): boolean {
  return typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body);
}

/**
 * Parses an http or https URL without credentials.
 * @throws TypeError that does not quote the URL, which can contain secrets
 */
function httpUrl(address: string | URL, base?: URL): URL {
  const url = URL.canParse(address, base) ? new URL(address, base) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw new TypeError('The URL of the call, or of a redirect, is not an http or https URL.');
  if (url.username || url.password)
    throw new TypeError('The URL contains a user name or a password. Remove them.');
  return url;
}

/** @throws TypeError that does not quote a header */
function authorizedHeaders(given: RequestInit['headers'], authorization: string): Headers {
  try {
    const headers = new Headers(given);
    headers.set('authorization', authorization);
    const traceparent = currentTraceparent();
    if (traceparent !== undefined && !headers.has('traceparent')) headers.set('traceparent', traceparent);
    return headers;
  } catch {
    throw new TypeError('A header of this call has a name or a value that HTTP does not allow.');
  }
}

/** A 303, and a POST's 301 or 302, turn the request into a GET (Fetch standard, section 4.4). */
function redirected<T extends RequestInit & { headers: Headers }>(request: T, status: number): T {
  const method = request.method?.toUpperCase() ?? 'GET';
  const becomesGet =
    status === 303 ? method !== 'GET' && method !== 'HEAD' : status < 303 && method === 'POST';
  if (!becomesGet) return request;
  for (const name of BODY_HEADERS) request.headers.delete(name);
  return { ...request, method: 'GET', body: null };
}

function withoutContents(request: RequestInit): RequestInit & { headers: Headers } {
  const { headers: _headers, body: _body, referrer: _referrer, ...rest } = request;
  const method = request.method?.toUpperCase() === 'HEAD' ? 'HEAD' : 'GET';
  return { ...rest, method, headers: new Headers() };
}
