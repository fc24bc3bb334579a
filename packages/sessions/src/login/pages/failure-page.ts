import { html } from 'hono/html';
import type { LoginFailure } from '../../session/session-events.js';
import type { Brand } from './branding.js';
import { type Page, renderMessage } from './page.js';

/** The login did not work out: why, and what to do. */
export function failurePage(
  brand: Brand,
  failure: LoginFailure,
  status: Page['status'] = 200,
): Promise<Page> {
  const { title, reason, advice } = FAILURES[failure];
  return renderMessage(brand, {
    status,
    mark: failure === 'declined' ? 'neutral' : 'bad',
    title,
    body: html`<p>${reason}</p>
      <p>${advice}</p>
      <p class="quiet">You can close this window.</p>`,
  });
}

/** Whether `value` names a failure that has a page. */
export function isLoginFailure(value: string): value is LoginFailure {
  return Object.hasOwn(FAILURES, value);
}

interface Explanation {
  readonly title: string;
  readonly reason: string;
  readonly advice: string;
}

const AGAIN = 'Ask your client to log in again.';

const FAILURES: Readonly<Record<LoginFailure, Explanation>> = {
  declined: {
    title: 'Nobody was logged in',
    reason: 'The login was declined, so nothing was connected.',
    advice: 'If you did want to log in, ask your client for a new link.',
  },
  expired: { title: 'This took too long', reason: 'The login has expired.', advice: AGAIN },
  browser_mismatch: {
    title: 'Another browser',
    reason: 'The login went from one browser to another on its way, so it was stopped.',
    advice: 'Ask your client to log in again, and stay in one browser from the link to the end.',
  },
  identity_mismatch: {
    title: 'Another user',
    reason: 'You are not the user whose client asked for this login, so nothing was connected.',
    advice:
      'If the client is yours, ask it to log in again, and use the same account here as in the client. If somebody sent you the link, there is nothing else to do.',
  },
  provider_unavailable: {
    title: 'The provider did not answer',
    reason: 'The login could not be finished, so nothing was connected.',
    advice: 'Wait a minute, then ask your client to log in again.',
  },
  provider_refused: {
    title: 'The login was refused',
    reason: 'The identity provider refused, or its answer was not valid.',
    advice: `${AGAIN} If it is refused again, tell whoever runs this server.`,
  },
  wrong_code: {
    title: 'Wrong code',
    reason: 'The client gave a wrong code too often, so nothing was connected.',
    advice: `${AGAIN} Then give it the new code exactly as it is shown.`,
  },
  superseded: {
    title: 'There is a newer login',
    reason: 'Another login has taken the place of this one.',
    advice: 'Go on with the latest link or code that your client shows.',
  },
  evicted: {
    title: 'Too many logins',
    reason: 'Too many logins were started here, and this one had to make room.',
    advice: 'Wait a minute, then ask your client to log in again.',
  },
  signed_out: {
    title: 'The session is over',
    reason: 'The client logged out before you were done.',
    advice: AGAIN,
  },
};
