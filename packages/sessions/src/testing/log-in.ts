import { z } from 'zod';
import { parseOptions } from '../parse-options.js';
import type { Sessions } from '../server/sessions.js';
import { FaultingProvider } from './faulting-provider.js';

export interface LogInOptions {
  /** Where the user logs in. */
  readonly provider: FaultingProvider;
  readonly user: string;
  /** How long the whole login may take, in milliseconds. Default: 30 seconds. */
  readonly timeoutMs?: number;
}

/** The result of a login in the browser. */
export interface BrowserLogin {
  /** The confirmation code on the last page, for the `login` tool; `undefined` if the login needs none. */
  readonly code: string | undefined;
}

const optionsSchema = z.strictObject({
  provider: z.custom<FaultingProvider>(
    (value) => value instanceof FaultingProvider,
    'must be a FaultingProvider',
  ),
  user: z.string().min(1),
  timeoutMs: z.number().positive().optional(),
} satisfies Record<keyof LogInOptions, z.ZodType>);

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_SHOWN_CHARACTERS = 300;

/**
 * Follows the link of the `login` tool as a user's browser does, without a network: continues on the connect page,
 * logs in at the provider, and returns to the server.
 *
 * Such a browser does not count as one of the server's machine. The last page shows a confirmation code, and the
 * client passes it to `login`.
 * @throws Error if the login fails, with the text of the page; if the server sends the browser to another provider; if
 * the login takes too long
 */
export async function logIn(
  sessions: Pick<Sessions, 'handleRequest'>,
  loginUrl: unknown,
  options: LogInOptions,
): Promise<BrowserLogin> {
  parseOptions(optionsSchema, options, 'The options of `logIn` are invalid');
  const { provider, user, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  if (typeof loginUrl !== 'string' || !URL.canParse(loginUrl)) {
    throw new Error(
      `Login of "${user}" failed: ${String(loginUrl)} is not a URL. Pass the \`loginUrl\` that \`login\` returned.`,
    );
  }
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    const message = `Login of "${user}" failed: the server did not respond within ${timeoutMs} ms. If it waits for a virtual clock or for a fault of the provider, do not wait for the login before you end that.`;
    timer = setTimeout(() => reject(new Error(message)), timeoutMs);
  });
  try {
    return await Promise.race([browse(new Browser(sessions), loginUrl, provider, user), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function browse(
  browser: Browser,
  loginUrl: string,
  provider: FaultingProvider,
  user: string,
): Promise<BrowserLogin> {
  const connectPage = await browser.follow(new URL(loginUrl));
  const connectHtml = await connectPage.text();
  const form = /name="form" value="([^"]*)"/.exec(connectHtml)?.[1];
  if (form === undefined) throw failure(user, connectPage, connectHtml);
  const continued = await browser.open(loginUrl, { form, action: 'continue' });
  const authorizationUrl = continued.headers.get('location');
  if (authorizationUrl === null) throw failure(user, continued, await continued.text());
  const { callback, isForm } = provider.authorizationResponse(authorizationUrl, user);
  const returned = isForm ? await browser.returnAsForm(callback, authorizationUrl) : undefined;
  const page = await browser.follow(callback, returned);
  const html = await page.text();
  if (!page.ok || browser.path.includes('/login/failed/')) throw failure(user, page, html);
  return { code: /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(html)?.[0] };
}

function failure(user: string, { status }: Response, html: string): Error {
  const text = html
    .replaceAll(/<(style|script|head)\b.*?<\/\1>|<[^>]*>/gs, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_SHOWN_CHARACTERS);
  return new Error(`Login of "${user}" failed. The last page (status ${status}) says: ${text}`);
}

/** Requests pages with the cookies of earlier responses. */
class Browser {
  readonly #sessions: Pick<Sessions, 'handleRequest'>;
  readonly #cookies = new Map<string, string>();
  /** The path of the last page. */
  path = '';

  constructor(sessions: Pick<Sessions, 'handleRequest'>) {
    this.#sessions = sessions;
  }

  /**
   * Opens a URL, and follows redirects.
   * @param answer the response to the URL, if it was requested before
   */
  async follow(start: URL, answer?: Response): Promise<Response> {
    let url = start;
    let page = answer ?? (await this.open(url.href));
    for (let location = page.headers.get('location'); location !== null; ) {
      url = new URL(location, url);
      page = await this.open(url.href);
      location = page.headers.get('location');
    }
    this.path = url.pathname;
    return page;
  }

  async open(url: string, form?: Record<string, string>): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const origin = new URL(url).origin;
    return this.#send(
      form
        ? new Request(url, { method: 'POST', body: new URLSearchParams(form), headers: { cookie, origin } })
        : new Request(url, { headers: { cookie } }),
    );
  }

  /**
   * Sends an authorization response as a form of the provider's page. A cross-site form has no `SameSite=Lax` cookies.
   */
  async returnAsForm(callback: URL, from: string): Promise<Response> {
    const { origin, pathname, searchParams } = callback;
    const sent = { method: 'POST', body: searchParams, headers: { origin: new URL(from).origin } };
    return this.#send(new Request(`${origin}${pathname}`, sent));
  }

  async #send(request: Request): Promise<Response> {
    const response = await this.#sessions.handleRequest(request);
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';', 1);
      const separator = pair.indexOf('=');
      this.#cookies.set(pair.slice(0, separator), pair.slice(separator + 1));
    }
    return response;
  }
}
