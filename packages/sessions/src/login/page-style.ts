import { createHash } from 'node:crypto';

/** The look of all pages: small, readable, light and dark, phone and desktop. */
export const pageStyle: string = `
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --text: #1c2024; --quiet: #5a6370; --line: #d9dde3;
  --accent: #1f5fd0; --on-accent: #ffffff; --good: #1a7f4b; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #101317; --card: #191e24; --text: #e8eaed; --quiet: #a3acb8; --line: #333b46;
    --accent: #8ab4f8; --on-accent: #10192b; --good: #6dd49b; --bad: #f2a59f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.25rem;
  background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main {
  width: 100%; max-width: 27rem; padding: 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 1rem; box-shadow: 0 1px 2px rgb(0 0 0 / .06), 0 8px 24px rgb(0 0 0 / .06);
}
@media (max-width: 30rem) { main { padding: 1.5rem; } }
h1 { margin: 0 0 .5rem; font-size: 1.375rem; line-height: 1.25; text-wrap: balance; }
p { margin: 0 0 1rem; }
p:last-child { margin-bottom: 0; }
.quiet { color: var(--quiet); font-size: .9375rem; }
.mark { display: block; width: 3rem; height: 3rem; margin: 0 0 1rem; border-radius: 50%; }
.mark path, .mark circle { fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.accent { color: var(--accent); }
dl { margin: 1.25rem 0; border-top: 1px solid var(--line); }
dl div { display: flex; gap: 1rem; justify-content: space-between; padding: .625rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--quiet); flex: none; }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
form { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; margin-top: 1.5rem; }
button {
  min-height: 2.75rem; padding: .5rem 1rem; font: inherit; font-weight: 600; cursor: pointer;
  border-radius: .625rem; border: 1px solid var(--accent); background: var(--card); color: var(--accent);
}
button.primary { background: var(--accent); color: var(--on-accent); }
button:hover { filter: brightness(1.08); }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.code {
  margin: 1rem 0; padding: 1rem; text-align: center; border: 1px dashed var(--line); border-radius: .625rem;
  font: 600 1.75rem/1.2 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; letter-spacing: .08em;
}
`;

/** What the content security policy names the style by (CSP Level 3, hash source). */
export const pageStyleHash: string = `sha256-${createHash('sha256').update(pageStyle).digest('base64')}`;
