/** A browser without script: it keeps cookies by path, follows redirects one by one and posts forms. */
export class Browser {
  readonly #cookies = new Map<string, { pair: string; path: string; origin: string }>();

  /** Requests an address. Redirects are answered, not followed. */
  async request(url: string | URL, init: RequestInit = {}): Promise<Response> {
    const target = new URL(url);
    const response = await fetch(target, {
      ...init,
      redirect: 'manual',
      headers: { ...init.headers, cookie: this.#cookieHeader(target) },
    });
    for (const cookie of response.headers.getSetCookie()) this.#store(cookie, target);
    return response;
  }

  /**
   * Opens an address and answers the login form of the embedded provider.
   *
   * @param until where to stop following redirects; it is not requested
   * @returns that address
   */
  async logIn(url: string | URL, username: string, until: string): Promise<URL> {
    const form = await this.follow(url, until);
    return this.submit(form, { username, password: 'any' }, until);
  }

  /** Posts a form and follows what comes back. */
  async submit(action: URL, fields: Record<string, string>, until: string): Promise<URL> {
    const answer = await this.request(action, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { origin: action.origin },
    });
    return this.follow(locationOf(answer, action), until);
  }

  /** Follows redirects until a page comes, or the address to stop at. */
  async follow(url: string | URL, until: string): Promise<URL> {
    const target = new URL(url);
    if (target.href.startsWith(until)) return target;
    const answer = await this.request(target);
    return answer.status === 200 ? target : this.follow(locationOf(answer, target), until);
  }

  #cookieHeader({ origin, pathname }: URL): string {
    return [...this.#cookies.values()]
      .filter((cookie) => cookie.origin === origin && pathname.startsWith(cookie.path))
      .map(({ pair }) => pair)
      .join('; ');
  }

  #store(header: string, { origin }: URL): void {
    const [pair = '', ...attributes] = header.split(/; */);
    const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? '/';
    const key = `${origin}${path} ${pair.split('=')[0]}`;
    const isExpired = attributes.some((attribute) => /^expires=.*1970/i.test(attribute));
    if (isExpired) this.#cookies.delete(key);
    else this.#cookies.set(key, { pair, path, origin });
  }
}

function locationOf(answer: Response, base: URL): URL {
  const location = answer.headers.get('location');
  if (!location) throw new Error(`${base.pathname} answered ${answer.status} without a redirect.`);
  return new URL(location, base);
}
