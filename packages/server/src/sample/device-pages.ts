import { html } from 'hono/html';
import { type Html, page } from './login-page.js';

/** The target of the forms of the device flow, and their CSRF token. */
export interface DeviceForm {
  readonly action: string;
  readonly xsrf: string;
}

/**
 * The form for the code that a client shows its user (RFC 8628 section 3.3).
 *
 * @param problem why the last attempt failed
 */
export function userCodePage({ action, xsrf }: DeviceForm, problem?: string): Html {
  return page(
    'Enter the code',
    html`<h1>Enter the code</h1>
      <p class="quiet">Your MCP client shows it to you, next to the address of this page.</p>
      ${problem ? html`<p class="error" role="alert">${problem}</p>` : ''}
      <form method="post" action="${action}">
        <input type="hidden" name="xsrf" value="${xsrf}">
        <label>Code
          <input name="user_code" required maxlength="64" autocomplete="off" autocapitalize="characters" spellcheck="false">
        </label>
        <button class="primary">Continue</button>
      </form>`,
  );
}

/** Shows the client of a code before its user signs in. */
export function confirmCodePage({ action, xsrf }: DeviceForm, client: string, userCode: string): Html {
  return page(
    'Sign in a client',
    html`<h1>Sign in ${client}?</h1>
      <p>It shows the code <strong>${userCode}</strong>. Continue only if your own MCP client shows this code and you asked it to log in.</p>
      <form method="post" action="${action}">
        <input type="hidden" name="xsrf" value="${xsrf}">
        <input type="hidden" name="user_code" value="${userCode}">
        <button class="primary" name="confirm" value="yes">Continue</button>
        <button class="plain" name="abort" value="yes">Cancel</button>
      </form>`,
  );
}

/** The last page: the client polls for the result. */
export function approvedPage(): Html {
  return page(
    'You are signed in',
    html`<h1>You are signed in</h1>
      <p>Return to your MCP client. It continues by itself, or when you tell it that you are done.</p>`,
  );
}
