import { html, raw } from 'hono/html';
import type { LoginDestination } from '../login-destination.js';
import type { Brand } from './branding.js';
import { pageStyle } from './page-style.js';

/** A page in a browser, and what it may do. */
export interface Page {
  readonly status: 200 | 400 | 403 | 404 | 413 | 429 | 500 | 502;
  readonly html: string;
  /** Whether it shows a picture, which is in the page itself. */
  readonly hasPicture: boolean;
}

export type Markup = ReturnType<typeof html>;

/** What a page says, and how it went. */
export interface Message {
  readonly status: Page['status'];
  readonly mark: keyof typeof MARKS;
  readonly title: string;
  readonly body: Markup;
}

/** Drawn in a square of 48. */
const MARKS = {
  onward: 'M15 24h18M26 17l7 7-7 7',
  good: 'M16 24.5l5.5 5.5L32.5 18.5',
  bad: 'M24 15v11M24 32v.5',
  neutral: 'M16 24h16',
};

/**
 * Puts a page together: language, title, whose it is, look. No script, nothing from elsewhere.
 *
 * @param brand absent where it is nobody's business whose page it is
 */
export async function renderPage(
  brand: Brand | undefined,
  status: Page['status'],
  title: string,
  body: Markup,
): Promise<Page> {
  const document = html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex">
    <title>${title}</title>
    <style>${raw(pageStyle)}</style>
  </head>
  <body>
    ${brand ? header(brand) : ''}
    <main>${body}</main>
  </body>
</html>
`;
  return { status, html: String(await document), hasPicture: brand?.logo !== undefined };
}

function header({ name, logo }: Brand): Markup {
  return html`<header>${logo === undefined ? '' : html`<img src="${logo}" alt="">`}${nameOf(name)}</header>`;
}

/** A page that tells something and asks nothing. */
export function renderMessage(
  brand: Brand | undefined,
  { status, mark, title, body }: Message,
): Promise<Page> {
  return renderPage(
    brand,
    status,
    brand ? `${title} · ${brand.name}` : title,
    html`<svg class="mark ${mark}" viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="24"/><path d="${MARKS[mark]}"/></svg>
      <h1>${title}</h1>
      ${body}`,
  );
}

/** What a place is called here, and which host the browser goes to. */
export function destinationOf({ name, host }: LoginDestination): Markup {
  return name === host ? nameOf(host) : html`${nameOf(name)} · ${nameOf(host)}`;
}

/** A name from outside keeps its writing direction to itself. */
export function nameOf(text: string): Markup {
  return html`<bdi>${text}</bdi>`;
}
