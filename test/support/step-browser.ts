import type { Agent } from 'node:https';
import { parseHTML } from 'linkedom';
import { type RawAnswer, send } from './raw-mcp.js';

interface Cookie {
  readonly value: string;
  readonly path: string;
}

/** The path of callbacks. */
const CALLBACK_PATH = /^\/(callback|login\/sign-in|login\/callback\/[^/]+)$/;

/**
 * A browser that follows a login step by step, so that a test can stop it, read its state or change it. Keeps
 * cookies by host and path. Ports share cookies, as in real browsers.
 */
export class StepBrowser {
  readonly cookies = new Map<string, Cookie>();
  readonly #agent: Agent | undefined;
  readonly #headers: Record<string, string>;

  /**
   * @param agent for https URLs. Default: none
   * @param headers of every request, such as those that a proxy adds
   */
  constructor(agent?: Agent, headers: Record<string, string> = {}) {
    this.#agent = agent;
    this.#headers = headers;
  }

  /** Requests a URL. Does not follow redirects. */
  async request(
    url: string | URL,
    {
      method = 'GET',
      headers = {},
      body,
    }: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<RawAnswer> {
    const { pathname } = new URL(url);
    const cookie = [...this.cookies]
      .filter(([, { path }]) => pathname.startsWith(path))
      .map(([key, { value }]) => `${key.split(' ')[0]}=${value}`)
      .join('; ');
    const answer = await send(url, {
      method,
      headers: { ...(cookie && { cookie }), ...this.#headers, ...headers },
      ...(body !== undefined && { body }),
      agent: this.#agent,
    });
    for (const line of answer.headers['set-cookie'] ?? []) this.#keep(line);
    return answer;
  }

  /** Posts a form. Default: with the origin of the URL. */
  post(
    url: string | URL,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<RawAnswer> {
    return this.request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        origin: new URL(url).origin,
        ...headers,
      },
      body: new URLSearchParams(fields).toString(),
    });
  }

  /** Opens the link of a login. @returns the form token */
  async openConnectPage(loginUrl: string): Promise<string> {
    const page = await this.request(loginUrl);
    const input = parseHTML(page.text).document.querySelector('input[name=form]');
    return input?.getAttribute('value') ?? '';
  }

  /** Consents on the connect page. @returns the authorization URL */
  async consent(loginUrl: string): Promise<URL> {
    const form = await this.openConnectPage(loginUrl);
    return locationOf(await this.post(loginUrl, { form, action: 'continue' }), loginUrl);
  }

  /** Signs in at the provider. @returns the callback URL, which is not requested */
  async authorize(atProvider: URL, fields: Record<string, string>): Promise<URL> {
    const loginPage = await this.#follow(atProvider);
    const resume = locationOf(await this.post(loginPage, fields), loginPage);
    return this.#follow(resume);
  }

  /** Follows a login up to its callback. @returns the callback URL, which is not requested */
  async logInUntilCallback(loginUrl: string, username: string): Promise<URL> {
    return this.authorize(await this.consent(loginUrl), { username, password: 'any' });
  }

  async #follow(start: URL): Promise<URL> {
    let url = start;
    while (!CALLBACK_PATH.test(url.pathname)) {
      const answer = await this.request(url);
      if (answer.status < 300 || answer.status >= 400) return url;
      url = locationOf(answer, url);
    }
    return url;
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(/; */);
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice('path='.length) ?? '/';
    const isExpired = attributes.some((attribute) => /^(max-age=0$|expires=.*1970)/i.test(attribute));
    if (isExpired) this.cookies.delete(`${name} ${path}`);
    else this.cookies.set(`${name} ${path}`, { value, path });
  }
}

/** The target of a redirect. */
export function locationOf(answer: RawAnswer, base: string | URL): URL {
  const { location } = answer.headers;
  if (location === undefined) throw new Error(`No redirect from ${base}: ${answer.status} ${answer.text}`);
  return new URL(location, base);
}
