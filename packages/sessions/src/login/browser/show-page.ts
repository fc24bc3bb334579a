import type { Context } from 'hono';
import type { HttpEnv } from '../../http/http-env.js';
import type { Page } from '../pages/page.js';
import { pageStyleHash } from '../pages/page-style.js';

/**
 * Responds with a page. Its content security policy allows the page's style, logo and form only.
 *
 * `form-action` allows every https address: browsers apply it to all redirects that follow the form, and a provider may
 * redirect its users to other hosts.
 */
export function showPage(c: Context<HttpEnv>, page: Page): Response {
  const policy = [
    "default-src 'none'",
    `style-src '${pageStyleHash}'`,
    ...(page.hasPicture ? ['img-src data:'] : []),
    "form-action 'self' https: http://127.0.0.1:* http://localhost:*",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  c.header('content-security-policy', policy.join('; '));
  c.header('cache-control', 'no-store');
  c.header('x-content-type-options', 'nosniff');
  c.header('referrer-policy', 'same-origin');
  return c.html(page.html, page.status);
}

/** Whether the request comes from a browser rather than a program. */
export function acceptsHtml(c: Context<HttpEnv>): boolean {
  return c.req.header('accept')?.includes('text/html') ?? false;
}
