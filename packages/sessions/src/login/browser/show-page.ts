import type { Context } from 'hono';
import type { HttpEnv } from '../../http/http-env.js';
import type { Page } from '../pages/page.js';
import { pageStyleHash } from '../pages/page-style.js';

/**
 * Answers with a page that may do nothing but show itself and send its form.
 *
 * The form may lead on to any https address: browsers apply `form-action` to every redirect that follows,
 * and a provider may well send its users on to another one.
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

/** Whether whoever asks is a person's browser, and no program. */
export function wantsPage(c: Context<HttpEnv>): boolean {
  return c.req.header('accept')?.includes('text/html') ?? false;
}
