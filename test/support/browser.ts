import { parseHTML } from 'linkedom';

/** A page as a browser sees it. */
export interface Page {
  readonly status: number;
  readonly url: string;
  readonly text: string;
  readonly headers: Headers;
}

interface Form {
  readonly action: string;
  readonly fields: ReadonlyMap<string, string>;
}

const MAX_REDIRECTS = 10;

/**
 * A browser without a window. Follows links, redirects and forms, and keeps cookies by host: ports share cookies,
 * as in real browsers.
 */
export class Browser {
  readonly #cookies = new Map<string, string>();

  open(url: string, init: RequestInit = {}): Promise<Page> {
    return this.#navigate(url, init);
  }

  /** Fills in the form of a page and presses one of its buttons. */
  submit(page: Page, entries: Readonly<Record<string, string>>): Promise<Page> {
    const form = formOf(page);
    const body = new URLSearchParams([...form.fields, ...Object.entries(entries)]);
    const origin = new URL(page.url).origin;
    return this.#navigate(form.action, { method: 'POST', body, headers: { origin } });
  }

  /** Completes a login as the given user. @returns the last page */
  async logIn(loginUrl: string, username: string): Promise<Page> {
    const connect = await this.open(loginUrl);
    const provider = await this.submit(connect, { action: 'continue' });
    return this.submit(provider, { username, password: 'any' });
  }

  /** Enters a device code and signs in. @returns the last page */
  async approve(verificationUri: string, userCode: string, username: string): Promise<Page> {
    const confirm = await this.enterCode(verificationUri, userCode);
    return this.submit(await this.submit(confirm, { confirm: 'yes' }), { username, password: 'any' });
  }

  /** Enters a device code. @returns the confirmation page of the provider */
  async enterCode(verificationUri: string, userCode: string): Promise<Page> {
    return this.submit(await this.open(verificationUri), { user_code: userCode });
  }

  cookieNames(): string[] {
    return [...this.#cookies.keys()];
  }

  clearCookies(): void {
    this.#cookies.clear();
  }

  async #navigate(start: string, init: RequestInit): Promise<Page> {
    let url = start;
    let request = init;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await this.#request(url, request);
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || location === null) {
        return { status: response.status, url, text: await response.text(), headers: response.headers };
      }
      await response.body?.cancel();
      url = new URL(location, url).href;
      request = {};
    }
    throw new Error(`More than ${MAX_REDIRECTS} redirects, the last one to ${url}`);
  }

  async #request(url: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('cookie', [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const cookie of response.headers.getSetCookie()) this.#keep(cookie);
    return response;
  }

  #keep(cookie: string): void {
    const [pair = '', ...attributes] = cookie.split(';');
    const name = pair.slice(0, pair.indexOf('=')).trim();
    const isExpired = attributes.some((attribute) =>
      /^\s*(max-age=0|expires=thu, 01 jan 1970)/i.test(attribute),
    );
    if (isExpired) this.#cookies.delete(name);
    else this.#cookies.set(name, pair.slice(pair.indexOf('=') + 1).trim());
  }
}

function formOf(page: Page): Form {
  const { document } = parseHTML(page.text);
  const form = document.querySelector('form');
  if (!form) throw new Error(`No form on ${page.url} (${page.status}): ${page.text.slice(0, 300)}`);
  const inputs = [...form.querySelectorAll('input[type=hidden]')];
  const fields = inputs.map((input): [string, string] => [
    input.getAttribute('name') ?? '',
    input.getAttribute('value') ?? '',
  ]);
  return { action: new URL(form.getAttribute('action') ?? page.url, page.url).href, fields: new Map(fields) };
}
