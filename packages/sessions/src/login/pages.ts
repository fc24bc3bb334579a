import { html, raw } from 'hono/html';
import type { LoginFailure } from '../session/session-events.js';
import type { ConnectRequest } from './browser-logins.js';
import { type Page, renderPage } from './page.js';

/** Drawn in a square of 48. */
const MARKS = {
  accent: 'M15 24h18M26 17l7 7-7 7',
  good: 'M16 24.5l5.5 5.5L32.5 18.5',
  bad: 'M24 15v11M24 32v.5',
  neutral: 'M16 24h16',
};

function mark(kind: keyof typeof MARKS) {
  return raw(
    `<svg class="mark ${kind}" viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="24"/><path d="${MARKS[kind]}"/></svg>`,
  );
}

/** A name from outside keeps its writing direction to itself. */
function nameOf(text: string) {
  return html`<bdi>${text}</bdi>`;
}

/** Asks the user of a browser whether they started this login. Looking at it changes nothing. */
export function connectPage(serverName: string, request: ConnectRequest, formToken: string): Promise<Page> {
  const { provider, scopes, startedSecondsAgo } = request;
  const client = request.clientName?.trim();
  return renderPage(
    200,
    `Log in to ${serverName}`,
    html`${mark('accent')}
      <h1>Connect ${client ? nameOf(client) : 'a client'} to ${nameOf(serverName)}?</h1>
      <p>You log in at ${nameOf(provider)}. The client can then use ${nameOf(serverName)} in your name.</p>
      <dl>
        <div><dt>Client</dt><dd>${client ? html`${nameOf(client)}<small>Name not verified</small>` : 'Gives no name'}</dd></div>
        <div><dt>Login at</dt><dd>${nameOf(provider)}</dd></div>
        ${scopes.length > 0 ? html`<div><dt>Access to</dt><dd><ul>${scopes.map((scope) => html`<li>${scope}</li>`)}</ul></dd></div>` : ''}
        <div><dt>Started</dt><dd>${ago(startedSecondsAgo)}</dd></div>
      </dl>
      <p><strong>Continue only if you started this yourself, just now.</strong></p>
      <form method="post">
        <input type="hidden" name="form" value="${formToken}">
        <button name="action" value="decline">Decline</button>
        <button name="action" value="continue" class="primary">Continue</button>
      </form>`,
  );
}

/** The login is finished. */
export function donePage(serverName: string): Promise<Page> {
  return renderPage(
    200,
    'Logged in',
    html`${mark('good')}
      <h1>You are logged in</h1>
      <p>You can close this window and go back to your client.</p>
      <p class="quiet">${nameOf(serverName)} keeps your access in memory only, and forgets it when you log out or go away.</p>`,
  );
}

/** The login waits for a code that only the client that started it can present. */
export function codePage(serverName: string, code: string): Promise<Page> {
  return renderPage(
    200,
    'One more step',
    html`${mark('accent')}
      <h1>One more step</h1>
      <p>Give this code to the client that asked you to log in to ${nameOf(serverName)}:</p>
      <p class="code">${code}</p>
      <p class="quiet">It works once, within five minutes. If you did not start this login, or somebody else asks you for the code, close this window and tell nobody.</p>`,
  );
}

/** The login did not work out. */
export function failurePage(failure: LoginFailure): Promise<Page> {
  const { title, text } = FAILURES[failure];
  return renderPage(
    200,
    title,
    html`${mark(failure === 'declined' ? 'neutral' : 'bad')}
      <h1>${title}</h1>
      <p>${text}</p>
      <p class="quiet">You can close this window.</p>`,
  );
}

/** There is no login behind this address, or no longer. */
export function goneLinkPage(): Promise<Page> {
  return renderPage(
    404,
    'This link has expired',
    html`${mark('bad')}
      <h1>This link has expired</h1>
      <p>The login was finished, took too long, or was replaced by a newer one. Ask your client to log in again for a new link.</p>`,
  );
}

/** A form was sent by another page than ours, or by a browser that keeps no cookies. */
export function wrongFormPage(status: 403 | 413 = 403): Promise<Page> {
  return renderPage(
    status,
    'This page cannot go on',
    html`${mark('bad')}
      <h1>This page cannot go on</h1>
      <p>${status === 413 ? 'What your browser sent is larger than this form.' : 'Your browser did not send back the cookie of this login. Allow cookies for this address, then open the link again.'}</p>`,
  );
}

/** A browser came back that this server is not waiting for. */
export function rejectedCallbackPage(): Promise<Page> {
  return renderPage(
    400,
    'This login cannot be finished',
    html`${mark('bad')}
      <h1>This login cannot be finished</h1>
      <p>It was already used, has expired, or was started in another browser. Ask your client to log in again, and open the new link here.</p>`,
  );
}

/** Too many pages were asked for from one address. */
export function tooOftenPage(retryAfterSeconds: number): Promise<Page> {
  return renderPage(
    429,
    'Too many requests',
    html`${mark('bad')}
      <h1>Too many requests</h1>
      <p>Too many logins are under way from your network. Wait ${retryAfterSeconds} seconds, then load this page again.</p>`,
  );
}

/** The provider cannot be reached, so the user cannot be sent there. */
export function providerDownPage(provider: string): Promise<Page> {
  return renderPage(
    502,
    'The login is not available',
    html`${mark('bad')}
      <h1>The login is not available</h1>
      <p>${nameOf(provider)} cannot be reached, so your login has not started yet. Wait a minute, then open the link again.</p>`,
  );
}

const FAILURES: Readonly<Record<LoginFailure, { title: string; text: string }>> = {
  declined: { title: 'Nobody was logged in', text: 'You declined, so nothing was connected.' },
  expired: { title: 'This took too long', text: 'The login has expired. Ask your client to log in again.' },
  browser_mismatch: {
    title: 'Another browser',
    text: 'The login was started in another browser. Ask your client to log in again.',
  },
  identity_mismatch: {
    title: 'Another user',
    text: 'You are not the user whose client asked for this login, so nothing was connected. If the client is yours, ask it to log in again, and sign in here as the same user as there. If somebody sent you the link, close this window.',
  },
  provider_unavailable: {
    title: 'The provider did not answer',
    text: 'Nothing was connected. Wait a minute, then ask your client to log in again.',
  },
  provider_refused: {
    title: 'The login was refused',
    text: 'The identity provider refused, or its answer was not valid. Ask your client to log in again.',
  },
  wrong_code: { title: 'Wrong code', text: 'The code was wrong too often. Ask your client to log in again.' },
  superseded: {
    title: 'There is a newer login',
    text: 'Another login has taken the place of this one. Go on with that one.',
  },
  crowded_out: {
    title: 'Too many logins',
    text: 'Too many logins were started here, and this one had to make room. Ask your client to log in again.',
  },
  signed_out: {
    title: 'The session is over',
    text: 'The client logged out before you were done. Ask it to log in again.',
  },
};

function ago(seconds: number): string {
  if (seconds < 60) return 'just now';
  const minutes = Math.round(seconds / 60);
  return minutes === 1 ? 'a minute ago' : `${minutes} minutes ago`;
}

/** Whether `value` names a failure that has a page. */
export function isLoginFailure(value: string): value is LoginFailure {
  return Object.hasOwn(FAILURES, value);
}
