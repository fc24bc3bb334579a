import { html } from 'hono/html';
import { formatWait } from '../../errors.js';
import { FAILURE_TEXTS } from '../../session/provider-failure-texts.js';
import type { UnavailableLogin } from '../browser/flow.js';
import type { Brand } from './branding.js';
import { LOGIN_KEPT, tellOperator } from './failure-page.js';
import { destinationOf, type LoginDestination, type Markup, type Page, renderMessage } from './page.js';

/** The response to a form has the address of the connect page, so the empty link loads that page. */
const RELOAD = html`<p><a href="">Open the login again</a></p>`;

/** The link belongs to no pending login. */
export function expiredLinkPage(brand: Brand): Promise<Page> {
  return problem(brand, 404, {
    title: 'Link expired',
    text: html`This login is complete, or it has expired. An expired link does not end an earlier login. If you are not logged in, ask your client for a new link.`,
  });
}

/** The form has no valid CSRF token (403), or is too large (413). */
export function invalidFormPage(brand: Brand, status: 403 | 413 = 403): Promise<Page> {
  return problem(brand, status, {
    title: 'Form rejected',
    text:
      status === 413
        ? html`The form data is too large.`
        : html`Your browser did not send the cookie of this login. Allow cookies for this site, then open the login again.`,
    action: RELOAD,
  });
}

/** The authorization response belongs to no pending login of this browser. */
export function rejectedCallbackPage(brand: Brand): Promise<Page> {
  return problem(brand, 400, {
    title: 'Login cannot be completed',
    text: html`The login is complete, has expired, or was started in another browser. If you are not logged in, ask your client for a new link, and open it in this browser.`,
  });
}

/** The address has reached its limit for page requests. */
export function tooManyRequestsPage(brand: Brand, retryAfterSeconds: number): Promise<Page> {
  return problem(brand, 429, {
    title: 'Too many requests',
    text: html`This server received too many requests from your network. Wait ${formatWait(retryAfterSeconds)}, then reload this page.`,
  });
}

/** The browser cannot be redirected to the authorization server now. The login is still pending. */
export function providerUnavailablePage(
  brand: Brand,
  destination: LoginDestination,
  { cause: { reason }, keepsLogin }: Pick<UnavailableLogin, 'cause' | 'keepsLogin'>,
): Promise<Page> {
  return problem(brand, 502, {
    title: 'Login unavailable',
    text: html`Your login at ${destinationOf(destination)} has not started: ${FAILURE_TEXTS[reason].short}.${keepsLogin ? ` ${LOGIN_KEPT}` : ''} Wait a minute, then try again. If it fails again, ${tellOperator(reason)}`,
    action: RELOAD,
  });
}

const TITLES = {
  403: 'Request rejected',
  404: 'Page not found',
  500: 'Internal error',
  503: 'Service unavailable',
};

/**
 * An error outside of the login's own pages. A request that is rejected for its host or origin does not learn the name
 * of the server.
 */
export function errorPage(brand: Brand, status: keyof typeof TITLES, message: string): Promise<Page> {
  return problem(status === 403 ? undefined : brand, status, {
    title: TITLES[status],
    text: html`${message}`,
  });
}

interface Problem {
  readonly title: string;
  readonly text: Markup;
  readonly action?: Markup;
}

function problem(
  brand: Brand | undefined,
  status: Page['status'],
  { title, text, action }: Problem,
): Promise<Page> {
  return renderMessage(brand, { status, mark: 'bad', title, body: html`<p>${text}</p>${action ?? ''}` });
}
