import { html, raw } from 'hono/html';
import { pageStyle } from './page-style.js';

/** A page in a browser, and what it may do. */
export interface Page {
  readonly status: 200 | 400 | 403 | 404 | 413 | 429 | 502;
  readonly html: string;
}

export type Markup = ReturnType<typeof html>;

/** Puts a page together: language, title, look. No script, nothing from elsewhere. */
export async function renderPage(status: Page['status'], title: string, body: Markup): Promise<Page> {
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
    <main>${body}</main>
  </body>
</html>
`;
  return { status, html: String(await document) };
}
