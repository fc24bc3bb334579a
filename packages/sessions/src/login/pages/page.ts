import { html, raw } from 'hono/html';
import type { Provider } from '../../provider/provider.js';
import type { Brand } from './branding.js';
import { pageStyle } from './page-style.js';

/** A page, and what its content security policy has to allow. */
export interface Page {
  readonly status: 200 | 400 | 403 | 404 | 413 | 429 | 500 | 502 | 503;
  readonly html: string;
  /** Whether the page contains a picture as a `data:` URL. */
  readonly hasPicture: boolean;
}

/** An authorization server on the pages: its name, and the host that the browser is redirected to. */
export type LoginDestination = Pick<Provider, 'displayName' | 'host'>;

export type Markup = ReturnType<typeof html>;

/** The content of a page without a form. */
export interface Message {
  readonly status: Page['status'];
  readonly mark: keyof typeof MARKS;
  readonly title: string;
  readonly body: Markup;
}

/** The paths of the symbols, in a view box of 48 by 48. */
const MARKS = {
  onward: 'M15 24h18M26 17l7 7-7 7',
  good: 'M16 24.5l5.5 5.5L32.5 18.5',
  bad: 'M24 15v11M24 32v.5',
  neutral: 'M16 24h16',
};

/**
 * Renders a page without scripts and external resources.
 * @param brand absent where the page must not name the server
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

/** Renders a page without a form. */
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

/** The name and host of an authorization server; the host only if it has no other name. */
export function destinationOf({ displayName, host }: LoginDestination): Markup {
  return displayName === host ? nameOf(host) : html`${nameOf(displayName)} · ${nameOf(host)}`;
}

/** Isolates the writing direction of a text that this server does not control. */
export function nameOf(text: string): Markup {
  return html`<bdi>${text}</bdi>`;
}
