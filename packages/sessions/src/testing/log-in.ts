import type { Sessions } from '../server/sessions.js';
import type { FaultingProvider } from './faulting-provider.js';

/** How far a browser got. */
export interface BrowserLogin {
  /** The last page's status: 200, unless the login was refused. */
  readonly status: number;
  /** The confirmation code that the page shows; pass it to the `login` tool. */
  readonly code: string | undefined;
}

/**
 * Does what a user's browser does with the link that the `login` tool returned, without a network: agrees
 * on the connect page, logs in at the provider, and comes back.
 *
 * The server cannot know that such a browser is on its own machine, so it shows a confirmation code, which
 * the client then has to present.
 */
export async function logIn(
  sessions: Pick<Sessions, 'handleRequest'>,
  loginUrl: string,
  provider: FaultingProvider,
  user: string,
): Promise<BrowserLogin> {
  const browser = new Browser(sessions);
  const connectPage = await browser.open(loginUrl);
  const form = /name="form" value="([^"]*)"/.exec(await connectPage.text())?.[1];
  if (form === undefined) return { status: connectPage.status, code: undefined };
  const agreed = await browser.open(loginUrl, { form, action: 'continue' });
  const authorizationUrl = agreed.headers.get('location');
  if (authorizationUrl === null) return { status: agreed.status, code: undefined };
  const callback = provider.authorize(authorizationUrl, user);
  const returned = await browser.open(callback.href);
  const location = returned.headers.get('location');
  const last = location === null ? returned : await browser.open(new URL(location, callback).href);
  return { status: last.status, code: /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(await last.text())?.[0] };
}

/** Keeps cookies, and nothing else. */
class Browser {
  readonly #sessions: Pick<Sessions, 'handleRequest'>;
  readonly #cookies = new Map<string, string>();

  constructor(sessions: Pick<Sessions, 'handleRequest'>) {
    this.#sessions = sessions;
  }

  async open(url: string, form?: Record<string, string>): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { cookie, ...(form && { origin: new URL(url).origin }) };
    const sent = form ? { method: 'POST', body: new URLSearchParams(form) } : {};
    const response = await this.#sessions.handleRequest(new Request(url, { ...sent, headers }));
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';', 1);
      const separator = pair.indexOf('=');
      this.#cookies.set(pair.slice(0, separator), pair.slice(separator + 1));
    }
    return response;
  }
}
