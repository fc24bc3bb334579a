import { html } from 'hono/html';
import { FAILURE_TEXTS, type ProviderFailureReason } from '../../session/provider-failure-texts.js';
import type { LoginFailure } from '../../session/session-events.js';
import type { LoginFault } from '../login-attempt.js';
import type { Brand } from './branding.js';
import { type Markup, type Page, renderMessage } from './page.js';

/** What the user reads if the login before the one that failed is valid. */
export const LOGIN_KEPT = 'Your login from before is still valid.';

/** The last page of a login that failed: the reason, and what to do next. */
export function failurePage(
  brand: Brand,
  { failure, reason: cause, keepsLogin }: Omit<LoginFault, 'oauthError'>,
  status: Page['status'] = 200,
): Promise<Page> {
  const { title, reason, advice, ifAgain } = FAILURES[failure];
  const explained = cause && NAMES_REASON.has(failure) ? sentenceOf(FAILURE_TEXTS[cause].short) : reason;
  const isOfProvider = failure === 'declined' && cause !== undefined;
  const isOptional = keepsLogin && failure !== 'declined' && failure !== 'canceled';
  const whatToDo = isOptional ? `If you need the new login, ${uncapitalized(advice)}` : advice;
  return renderMessage(brand, {
    status,
    mark: failure === 'declined' ? 'neutral' : 'bad',
    title,
    body: html`<p>${explained}</p>
      ${keepsLogin ? html`<p>${LOGIN_KEPT}</p>` : ''}
      <p>${whatToDo}${ifAgain ? html` ${ifAgain} ${tellOperator(failure === 'internal_error' ? 'error' : cause)}` : ''}${isOfProvider ? ` ${NOT_ALLOWED}` : ''}</p>
      <p class="quiet">You can close this window.</p>`,
  });
}

/** What the user can do if it fails again, and what the operator finds. @param reason absent if it is not known here */
export function tellOperator(reason: ProviderFailureReason | 'error' | undefined): Markup {
  if (reason === 'error') return html`tell the operator of this server: the log has the error.`;
  const name = reason ? html` <code>${reason}</code>` : '';
  return html`tell the operator of this server: the log has the reason${name}.`;
}

/** Whether `value` is a failure. */
export function isLoginFailure(value: string): value is LoginFailure {
  return Object.hasOwn(FAILURES, value);
}

/** The path of the page, below the public URL. The reason is from a closed list. */
export function failurePathOf({ failure, reason, keepsLogin }: LoginFault): string {
  const why = reason && NAMES_REASON.has(failure) ? `/${reason}` : '';
  return `/login/failed/${failure}${why}${keepsLogin ? '?login=kept' : ''}`;
}

/** Whether `value` is a reason of a provider's failure. */
export function isProviderFailureReason(value: string): value is ProviderFailureReason {
  return Object.hasOwn(FAILURE_TEXTS, value);
}

/** The failures whose page says more than their kind. */
const NAMES_REASON: ReadonlySet<LoginFailure> = new Set([
  'declined',
  'provider_unavailable',
  'provider_refused',
]);

/** Providers deny logins also for reasons of their own, with the same error (RFC 6749 section 4.1.2.1). */
const NOT_ALLOWED = 'If you did not decline, the provider did: tell the operator of this server.';

function sentenceOf(short: string): string {
  return `${short.charAt(0).toUpperCase()}${short.slice(1)}. No access was granted.`;
}

function uncapitalized(sentence: string): string {
  return `${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`;
}

interface Explanation {
  readonly title: string;
  readonly reason: string;
  readonly advice: string;
  /** When only the operator can help; absent: the user can. */
  readonly ifAgain?: string;
}

const LOG_IN_AGAIN = 'Ask your client to log in again.';

const FAILURES: Readonly<Record<LoginFailure, Explanation>> = {
  declined: {
    title: 'Login declined',
    reason: 'The login was declined. No access was granted.',
    advice: 'If you want to log in after all, ask your client for a new link.',
  },
  expired: {
    title: 'Login expired',
    reason: 'The login was not completed in time.',
    advice: LOG_IN_AGAIN,
  },
  browser_mismatch: {
    title: 'Different browser',
    reason: 'The login was continued in another browser than the one it started in, so it was canceled.',
    advice: 'Ask your client to log in again, and use one browser for the whole login.',
  },
  identity_mismatch: {
    title: 'Different user',
    reason: 'You are not the user who started this login. No access was granted.',
    advice:
      'If you started it, ask your client to log in again, and use the same account here as in the client. If another person sent you the link, close this window.',
  },
  provider_unavailable: {
    title: 'Provider unavailable',
    reason: 'The identity provider did not respond. No access was granted.',
    advice: 'Wait a minute, then ask your client to log in again.',
    ifAgain: 'If it fails again,',
  },
  provider_refused: {
    title: 'Login rejected',
    reason: 'The identity provider rejected the login, or its response was not valid.',
    advice: LOG_IN_AGAIN,
    ifAgain: 'If it is rejected again,',
  },
  internal_error: {
    title: 'Login failed',
    reason: 'This server could not complete the login because of an internal error. No access was granted.',
    advice: LOG_IN_AGAIN,
    ifAgain: 'If it fails again,',
  },
  wrong_code: {
    title: 'Incorrect code',
    reason: 'The client sent an incorrect code too many times. No access was granted.',
    advice: `${LOG_IN_AGAIN} Enter the new code exactly as shown.`,
  },
  superseded: {
    title: 'Login replaced',
    reason: 'A newer login has replaced this one.',
    advice: 'Use the latest link or code that your client shows.',
  },
  canceled: {
    title: 'Login canceled',
    reason: 'Your client canceled this login. No access was granted.',
    advice: 'If you want to log in after all, ask your client for a new link.',
  },
  evicted: {
    title: 'Too many logins',
    reason: 'This server has too many pending logins, so this one was canceled.',
    advice: 'Wait a minute, then ask your client to log in again.',
  },
  signed_out: {
    title: 'Session ended',
    reason: 'The client logged out before the login was complete.',
    advice: LOG_IN_AGAIN,
  },
};
