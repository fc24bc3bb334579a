import { createHash } from 'node:crypto';

/** The style of all pages, for light and dark schemes, phones and desktops. It has no animations. */
export const pageStyle: string = `
:root {
  color-scheme: light dark;
  --page: #f2f4f7; --card: #ffffff; --tint: #f2f4f7; --text: #191d23; --quiet: #58616d;
  --line: #e0e4ea; --edge: #838b97; --accent: #1d5bd1; --good: #18794e; --bad: #b42318;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0d1014; --card: #171b21; --tint: #20262e; --text: #e9ecf0; --quiet: #a5aeba;
    --line: #2d343e; --edge: #727c8a; --accent: #8ab4f8; --good: #6dd49b; --bad: #f5a8a0;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100svh; padding: 1.5rem;
  display: grid; grid-template: 2fr auto auto 3fr / minmax(0, 28rem); justify-content: center;
  background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere;
}
header {
  grid-row: 2; display: flex; align-items: center; gap: .75rem; min-height: 2.5rem; margin: 0 .25rem 1rem;
  font-weight: 600;
}
header img { display: block; height: 2.5rem; width: auto; max-width: 10rem; object-fit: contain; }
main {
  grid-row: 3; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
  box-shadow: 0 1px 2px rgb(0 0 0 / .04), 0 12px 32px rgb(0 0 0 / .06);
}
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; text-wrap: balance; }
p { margin: 0 0 1rem; text-wrap: pretty; }
p:last-child { margin-bottom: 0; }
.quiet, small { color: var(--quiet); font-size: .875rem; }
.mark { display: block; width: 3rem; height: 3rem; margin: 0 0 1.25rem; color: var(--accent); }
.mark circle { fill: currentColor; fill-opacity: .12; }
.mark path { fill: none; stroke: currentColor; stroke-width: 2.5; stroke-linecap: round; stroke-linejoin: round; }
.mark.good { color: var(--good); }
.mark.bad { color: var(--bad); }
.mark.neutral { color: var(--quiet); }
dl { margin: 1.5rem 0; border-top: 1px solid var(--line); }
dl div {
  display: grid; grid-template-columns: 5.5rem minmax(0, 1fr); gap: 1rem; padding: .625rem 0;
  border-bottom: 1px solid var(--line);
}
dt { color: var(--quiet); }
dd { margin: 0; }
dd small { display: block; }
ul { display: flex; flex-wrap: wrap; gap: .375rem; margin: 0; padding: 0; list-style: none; }
li {
  padding: 0 .5rem; border: 1px solid transparent; border-radius: .375rem; background: var(--tint);
  font-size: .875rem; line-height: 1.5rem;
}
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
form { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; margin-top: 1.5rem; }
button, a {
  display: inline-block; min-height: 3rem; padding: .625rem 1rem; font: inherit; font-weight: 600;
  text-align: center; text-decoration: none; cursor: pointer;
  border: 1px solid var(--edge); border-radius: .625rem; background: var(--card); color: var(--text);
}
button:hover, a:hover { border-color: var(--accent); background: var(--tint); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.code {
  margin: 1.25rem 0; padding: 1.25rem .5rem; text-align: center; user-select: all;
  border: 1px solid transparent; border-radius: .75rem; background: var(--tint);
  font: 600 2rem/1.2 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; letter-spacing: .06em;
}
@media (max-width: 30rem) {
  body { display: block; padding: 0; background: var(--card); }
  header { margin: 0; padding: .75rem 1.25rem; border-bottom: 1px solid var(--line); }
  main { padding: 1.5rem 1.25rem 2rem; border: 0; border-radius: 0; box-shadow: none; }
}
`;

/** The hash of the style in the content security policy (CSP Level 3, hash source). */
export const pageStyleHash: string = `sha256-${createHash('sha256').update(pageStyle).digest('base64')}`;
