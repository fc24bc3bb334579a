import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';

/** A page, or a part of a page. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** The users that the page shows as buttons. Any other name is accepted, too. */
const SAMPLE_USERS = ['alice', 'bob', 'carol'] as const;

const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f2f4f7; --card: #ffffff; --tint: #f2f4f7; --text: #191d23; --quiet: #58616d;
  --line: #e0e4ea; --edge: #838b97; --accent: #5b43c6; --hover: #48339f; --on-accent: #ffffff; --error: #b42318;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0d1014; --card: #171b21; --tint: #20262e; --text: #e9ecf0; --quiet: #a5aeba;
    --line: #2d343e; --edge: #727c8a; --accent: #b9a8ff; --hover: #d2c8ff; --on-accent: #1a1238; --error: #f5a8a0;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100svh; padding: 1.5rem;
  display: grid; grid-template: 2fr auto 3fr / minmax(0, 25rem); justify-content: center;
  background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
main {
  grid-row: 2; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
  box-shadow: 0 1px 2px rgb(0 0 0 / .04), 0 12px 32px rgb(0 0 0 / .06);
}
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; }
p { margin: 0 0 1.25rem; text-wrap: pretty; }
p:last-child { margin-bottom: 0; }
.site { margin: 0 0 .75rem; color: var(--accent); font-size: .875rem; font-weight: 600; }
.quiet { color: var(--quiet); }
.error { color: var(--error); }
dl { margin: 0; }
dt { font-weight: 600; }
dd { margin: 0 0 .75rem; }
dd:last-child { margin-bottom: 0; }
form { display: grid; gap: 1rem; }
form.users { grid-template-columns: repeat(3, 1fr); gap: .5rem; }
.or { display: flex; align-items: center; gap: .75rem; margin: 1.25rem 0 .75rem; color: var(--quiet); font-size: .875rem; }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--line); }
label { display: grid; gap: .25rem; font-size: .875rem; font-weight: 600; }
input, button {
  min-height: 3rem; padding: .5rem .75rem; font: inherit; font-size: 1rem; color: var(--text);
  background: var(--card); border: 1px solid var(--edge); border-radius: .625rem;
}
input { width: 100%; font-weight: 400; }
button { font-weight: 600; cursor: pointer; }
button:hover { background: var(--tint); }
button.primary { margin-top: .25rem; border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
button.primary:hover { border-color: var(--hover); background: var(--hover); }
button.plain { margin: .5rem 0 -.75rem; border-color: transparent; color: var(--quiet); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 30rem) {
  body { display: block; padding: 0; background: var(--card); }
  main { padding: 2rem 1.25rem; border: 0; border-radius: 0; box-shadow: none; }
}
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/**
 * The Content-Security-Policy of these pages: their own style and forms, and no script.
 *
 * @param redirectOrigin the origin that the form redirects to; browsers apply `form-action` to redirects, too
 */
export function pagePolicy(redirectOrigin?: string): string {
  const formAction = redirectOrigin ? `'self' ${redirectOrigin}` : "'self'";
  return [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    `form-action ${formAction}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');
}

/** A client that registered itself and requests a sign-in. */
export interface RequestingClient {
  /** The self-reported name, not verified. */
  readonly name: string;
  /** The origin, or the scheme, that the browser returns to after the sign-in. */
  readonly redirectOrigin: string;
}

/**
 * The login form. Each of its forms posts to the page's own address: `username` to log in, `cancel` to decline.
 *
 * @param problem why the last attempt failed
 * @param client the client to show to the user. Default: the MCP server itself, which is not shown
 */
export function loginPage(problem?: string, client?: RequestingClient): Html {
  return page(
    'Sign in',
    html`<h1>Sign in</h1>
      ${
        client
          ? html`<p>For ${client.name} (self-reported name, not verified). You will return to ${client.redirectOrigin}.</p>`
          : ''
      }
      <p class="quiet">For trying things out: any name and any password will do.</p>
      ${problem ? html`<p class="error" role="alert">${problem}</p>` : ''}
      <form method="post" class="users" aria-label="Sign in as a sample user">
        ${SAMPLE_USERS.map((user) => html`<button name="username" value="${user}">${user}</button>`)}
      </form>
      <p class="or">or another name</p>
      <form method="post">
        <label>Name
          <input name="username" required maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false">
        </label>
        <label>Password
          <input name="password" type="password" autocomplete="off">
        </label>
        <button class="primary">Sign in</button>
      </form>
      <form method="post">
        <button class="plain" name="cancel" value="yes">Cancel</button>
      </form>`,
  );
}

/** Shows an error, and how to continue. */
export function errorPage(problem: string): Html {
  return page(
    'Sign-in failed',
    html`<h1>Sign-in failed</h1>
      <p class="error">${problem}</p>
      <p class="quiet">Return to your MCP client and ask it to log in again.</p>`,
  );
}

/** A page for a client whose registration is lost. It tells the user what to do. */
export function unknownClientPage(): Html {
  return page(
    'Sign-in failed',
    html`<h1>Sign-in failed</h1>
      <p class="error">Your MCP client was registered before this server restarted, and the server does not keep registrations.</p>
      <p>Remove the saved sign-in of this server in your client, then connect again:</p>
      <dl>
        <dt>Claude Code</dt><dd><code>/mcp</code>, this server, “Clear authentication”</dd>
        <dt>Codex</dt><dd><code>codex mcp logout</code> and the server’s name</dd>
        <dt>VS Code</dt><dd>the command “Authentication: Remove Dynamic Authentication Providers”</dd>
        <dt>Other clients</dt><dd>remove this server and add it again</dd>
      </dl>`,
  );
}

/** The layout of all pages. */
export function page(title: string, content: Html): Html {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <style>${raw(STYLE)}</style>
  </head>
  <body>
    <main>
      <p class="site">Sample identity provider</p>
      ${content}
    </main>
  </body>
</html>
`;
}
