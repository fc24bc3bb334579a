import { html } from 'hono/html';
import type { CompletedLogin, ConnectRequest } from '../browser/flow.js';
import type { Brand } from './branding.js';
import { destinationOf, type Markup, nameOf, type Page, renderMessage, renderPage } from './page.js';

/** Asks the user of a browser whether they started this login. Looking at it changes nothing. */
export function connectPage(brand: Brand, request: ConnectRequest, formToken: string): Promise<Page> {
  const { provider, scopes, startedSecondsAgo, signInAt } = request;
  const server = nameOf(brand.name);
  const client = request.clientName?.trim();
  // Neither button stands out: which one is right, only the user knows.
  return renderPage(
    brand,
    200,
    `Log in to ${brand.name}?`,
    html`<h1>Log in to ${server}?</h1>
      <p>A client asks for this login. It can then use ${server} in your name.</p>
      <dl>
        ${row('Client', client ? html`${nameOf(client)}<small>It calls itself so; nobody has verified it</small>` : html`Gives no name`)}
        ${row('Log in at', destinationOf(provider))}
        ${scopes.length > 0 ? row('Asks for', html`<ul>${scopes.map((scope) => html`<li>${wordsFor(scope)}</li>`)}</ul>`) : ''}
        ${row('Started', html`${ago(startedSecondsAgo)}`)}
      </dl>
      ${signInAt === undefined ? '' : html`<p>You first sign in at ${destinationOf(signInAt)}, to show that it is you who asked.</p>`}
      <p><strong>Continue only if you asked for this yourself.</strong> If somebody sent you the link, decline.</p>
      <form method="post">
        <input type="hidden" name="form" value="${formToken}">
        <button name="action" value="decline">Decline</button>
        <button name="action" value="continue">Continue</button>
      </form>`,
  );
}

/** What scopes of OpenID Connect mean that say nothing to users (OpenID Connect Core sections 3.1.2.1 and 11). */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['openid', 'who you are'],
  ['offline_access', 'staying logged in'],
]);

/** Every other scope is the provider's own affair, and shown as it is. */
function wordsFor(scope: string): Markup {
  const meaning = MEANINGS.get(scope);
  return meaning === undefined ? html`<code>${nameOf(scope)}</code>` : html`${meaning}`;
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
 * The login is finished.
 *
 * @param login as whom and for which client, where that is known
 */
export function donePage(brand: Brand, login?: Omit<CompletedLogin, 'kind'>): Promise<Page> {
  return renderMessage(brand, {
    status: 200,
    mark: 'good',
    title: 'You are logged in',
    body: html`${login ? summary(login) : ''}
      <p>You can close this window and go back to your client.</p>
      <p class="quiet">${nameOf(brand.name)} keeps your access in its memory only. It is forgotten when you log out, when your client has not used it for a while, and when the server stops.</p>`,
  });
}

function summary({ account, clientName }: Omit<CompletedLogin, 'kind'>): Markup {
  const client = clientName?.trim();
  return html`<p>You are logged in as <strong>${nameOf(account)}</strong>. ${client ? nameOf(client) : 'Your client'} can go on.</p>`;
}

/** The login waits for a code that only the client that started it can present. */
export function codePage(brand: Brand, code: string): Promise<Page> {
  return renderMessage(brand, {
    status: 200,
    mark: 'onward',
    title: 'One more step',
    body: html`<p>Give this code to the client in which you asked to log in to ${nameOf(brand.name)}:</p>
      <p class="code">${code}</p>
      <p>If you did not start this login, or somebody else asks you for the code, close this window and tell nobody.</p>
      <p class="quiet">The code works once, within five minutes.</p>`,
  });
}
