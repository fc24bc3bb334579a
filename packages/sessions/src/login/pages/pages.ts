import { html } from 'hono/html';
import type { CompletedLogin, ConnectRequest } from '../browser/flow.js';
import type { Brand } from './branding.js';
import { destinationOf, type Markup, nameOf, type Page, renderMessage, renderPage } from './page.js';

/** Asks the user for consent. Loading the page has no side effects. */
export function connectPage(brand: Brand, request: ConnectRequest, formToken: string): Promise<Page> {
  const { provider, scopes, startedSecondsAgo, signInAt } = request;
  const server = nameOf(brand.name);
  const client = request.clientName?.trim();
  // The buttons look the same: only the user knows which one is right.
  return renderPage(
    brand,
    200,
    `Log in to ${brand.name}?`,
    html`<h1>Log in to ${server}?</h1>
      <p>A client asks for access to ${server} on your behalf.</p>
      <dl>
        ${row('Client', client ? html`${nameOf(client)}<small>Self-reported name, not verified</small>` : html`No name given`)}
        ${row('Log in at', destinationOf(provider))}
        ${scopes.length > 0 ? row('Access', html`<ul>${scopes.map((scope) => html`<li>${descriptionOf(scope)}</li>`)}</ul>`) : ''}
        ${row('Started', html`${ago(startedSecondsAgo)}`)}
      </dl>
      ${signInAt === undefined ? '' : html`<p>First, you sign in at ${destinationOf(signInAt)} to confirm that you started this login.</p>`}
      <p><strong>Continue only if you started this login.</strong> If another person sent you the link, decline.</p>
      <form method="post">
        <input type="hidden" name="form" value="${formToken}">
        <button name="action" value="decline">Decline</button>
        <button name="action" value="continue">Continue</button>
      </form>`,
  );
}

/** Descriptions of scopes (OpenID Connect Core sections 3.1.2.1 and 11). */
const SCOPE_DESCRIPTIONS: ReadonlyMap<string, string> = new Map([
  ['openid', 'your identity'],
  ['offline_access', 'stay logged in'],
]);

/** The provider defines all other scopes, so they are shown as they are. */
function descriptionOf(scope: string): Markup {
  const description = SCOPE_DESCRIPTIONS.get(scope);
  return description === undefined ? html`<code>${nameOf(scope)}</code>` : html`${description}`;
}

function row(term: string, description: Markup): Markup {
  return html`<div><dt>${term}</dt><dd>${description}</dd></div>`;
}

function ago(seconds: number): string {
  if (seconds < 60) return 'just now';
  const minutes = Math.round(seconds / 60);
  return minutes === 1 ? 'a minute ago' : `${minutes} minutes ago`;
}

/**
 * The login is complete.
 * @param login absent if its cookie has expired or was read before
 */
export function donePage(brand: Brand, login?: Omit<CompletedLogin, 'kind'>): Promise<Page> {
  const client = login?.clientName?.trim();
  return renderMessage(brand, {
    status: 200,
    mark: 'good',
    title: 'You are logged in',
    body: html`${login ? html`<p>You are logged in as <strong>${nameOf(login.account)}</strong>.</p>` : ''}
      <p>You can close this window and return to ${client ? nameOf(client) : 'your client'}.</p>
      <p class="quiet">${nameOf(brand.name)} keeps your access tokens in memory only. They are deleted when you log out, after a period of inactivity, and when the server stops.</p>`,
  });
}

/** The login is complete once the session presents this confirmation code. */
export function codePage(brand: Brand, code: string): Promise<Page> {
  return renderMessage(brand, {
    status: 200,
    mark: 'onward',
    title: 'Confirm in your client',
    body: html`<p>Enter this code in the client in which you started the login to ${nameOf(brand.name)}:</p>
      <p class="code">${code}</p>
      <p>Do not give the code to another person. If you did not start this login, close this window.</p>
      <p class="quiet">The code works once and expires in five minutes.</p>`,
  });
}
