import { html } from 'hono/html';
import { formatWait } from '../../limits/too-many-requests.js';
import type { Brand } from './branding.js';
import { destinationOf, type LoginDestination, type Markup, type Page, renderMessage } from './page.js';

/** What answers a form has the address of the form's page, and opening that once more changes nothing. */
const AGAIN = html`<p><a href="">Open the login again</a></p>`;

/** There is no login behind this address, or no longer. */
export function expiredLinkPage(brand: Brand): Promise<Page> {
  return problem(
    brand,
    404,
    'This link has expired',
    html`Its login was finished, or was over long ago. If you are not logged in, ask your client to log in again for a new link.`,
  );
}

/** A form was sent by another page than ours, or by a browser that keeps no cookies. */
export function invalidFormPage(brand: Brand, status: 403 | 413 = 403): Promise<Page> {
  return problem(
    brand,
    status,
    'This page cannot go on',
    status === 413
      ? html`What your browser sent is larger than this form.`
      : html`Your browser did not send back the cookie of this login. Allow cookies for this address, then go back to the start.`,
    AGAIN,
  );
}

/** A browser came back that this server is not waiting for. */
export function rejectedCallbackPage(brand: Brand): Promise<Page> {
  return problem(
    brand,
    400,
    'This login cannot be finished',
    html`It was already used, has expired, or was started in another browser. Ask your client to log in again, and open the new link here.`,
  );
}

/** Too many pages were asked for from one address. */
export function tooManyRequestsPage(brand: Brand, retryAfterSeconds: number): Promise<Page> {
  return problem(
    brand,
    429,
    'Too many requests',
    html`Too many logins are under way from your network. Wait ${formatWait(retryAfterSeconds)}, then load this page again.`,
  );
}

export type ProviderFailureReason = 'provider_unavailable' | 'provider_refused';

/** The user cannot be sent on to where they log in. */
export function providerErrorPage(
  brand: Brand,
  place: LoginDestination,
  failureReason: ProviderFailureReason,
): Promise<Page> {
  const title = 'The login is not available';
  return failureReason === 'provider_unavailable'
    ? problem(
        brand,
        502,
        title,
        html`${destinationOf(place)} cannot be reached, so your login has not started yet. Wait a minute, then try again.`,
        AGAIN,
      )
    : problem(
        brand,
        502,
        title,
        html`This server and ${destinationOf(place)} are not set up for each other, so your login has not started. Waiting does not help: tell whoever runs this server.`,
      );
}

const TITLES = {
  403: 'This request is refused',
  404: 'This page does not exist',
  500: 'Something went wrong',
};

/**
 * A browser asked for something else than a login, or met an error that nobody foresaw. Where it is refused for the
 * name it asked for, or for the page it comes from, it is not told whose server this is.
 */
export function errorPage(brand: Brand, status: keyof typeof TITLES, message: string): Promise<Page> {
  return problem(status === 403 ? undefined : brand, status, TITLES[status], html`${message}`);
}

function problem(
  brand: Brand | undefined,
  status: Page['status'],
  title: string,
  text: Markup,
  onward?: Markup,
): Promise<Page> {
  return renderMessage(brand, { status, mark: 'bad', title, body: html`<p>${text}</p>${onward ?? ''}` });
}
