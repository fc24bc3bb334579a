import { timingSafeEqual } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { SessionError } from '../errors.js';
import type { RateLimiter } from '../limits/rate-limiter.js';
import type { BrowserLogins, CallbackResult } from '../login/browser-logins.js';
import type { Page } from '../login/page.js';
import { pageStyleHash } from '../login/page-style.js';
import * as pages from '../login/pages.js';
import { digestOf } from '../login/secret-digest.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import { readForm } from './form-body.js';
import type { Guards } from './guards.js';
import type { HttpEnv } from './http-env.js';

export interface LoginRoutesOptions {
  readonly logins: BrowserLogins;
  readonly guards: Guards;
  /** How often an address may ask for a page. */
  readonly pageRequests: RateLimiter;
  readonly keys: KeyHierarchy;
  readonly random: RandomSource;
  readonly publicUrl: () => URL;
  readonly serverName: string;
  /** How long a started login can be finished, and its cookie lives. */
  readonly loginAttemptMs: number;
}

const CODE_COOKIE_SECONDS = 300;

/** What a browser meets during a login: the connect page, the callback, and the pages at its end. */
export function loginRoutes(options: LoginRoutesOptions): Hono<HttpEnv> {
  const { logins, guards, serverName, random } = options;
  const cookieSeconds = Math.ceil(options.loginAttemptMs / 1000);
  const isSecure = () => options.publicUrl().protocol === 'https:';

  const readCookie = (c: Context<HttpEnv>, name: string) =>
    isSecure() ? getCookie(c, name, 'host') : getCookie(c, name);
  const writeCookie = (c: Context<HttpEnv>, name: string, value: string, maxAge: number) =>
    setCookie(c, name, value, {
      httpOnly: true,
      sameSite: 'Lax',
      path: '/',
      maxAge,
      ...(isSecure() && { secure: true, prefix: 'host' }),
    });
  /** A code together with what shows that it came from here: trying codes must not be possible this way. */
  const codeMacOf = (attemptId: string, code: string) => options.keys.mac('form', 'code', attemptId, code);
  const formTokenOf = (attemptId: string, cookie: string) => options.keys.mac('form', attemptId, cookie);

  const app = new Hono<HttpEnv>();

  for (const path of ['/connect/*', '/callback', '/login/*']) {
    app.use(path, async (c, next) => {
      const peer = c.get('peer');
      const seconds = peer === undefined ? undefined : options.pageRequests.take(peer);
      if (seconds === undefined) return next();
      c.header('retry-after', String(seconds));
      return show(c, await pages.tooOftenPage(seconds));
    });
  }

  app.get('/connect/:attempt', async (c) => {
    const attemptId = c.req.param('attempt');
    const request = logins.connectRequest(attemptId);
    if (!request) return show(c, await pages.goneLinkPage());
    const name = cookieNameOf(attemptId);
    const cookie = readCookie(c, name) ?? randomToken(random);
    writeCookie(c, name, cookie, cookieSeconds);
    const formToken = formTokenOf(attemptId, cookie).toString('base64url');
    return show(c, await pages.connectPage(serverName, request, formToken));
  });

  app.post('/connect/:attempt', async (c) => {
    const attemptId = c.req.param('attempt');
    const name = cookieNameOf(attemptId);
    const form = await readForm(c.req.raw, c.env?.incoming);
    if (form === 'too-large') return show(c, await pages.wrongFormPage(413));
    const cookie = readCookie(c, name);
    const isOurs = cookie !== undefined && isSameMac(form.get('form'), formTokenOf(attemptId, cookie));
    if (!isOurs || !guards.isOwnPage(c.req.raw.headers)) return show(c, await pages.wrongFormPage());
    if (form.get('action') !== 'continue') {
      logins.decline(attemptId);
      return c.redirect('/login/failed/declined', 303);
    }
    const consented = randomToken(random);
    const target = await logins.consent(attemptId, consented).catch(unavailable);
    if (target === 'unavailable') {
      return show(
        c,
        await pages.providerDownPage(logins.connectRequest(attemptId)?.provider ?? 'The provider'),
      );
    }
    if (!target) return show(c, await pages.goneLinkPage());
    writeCookie(c, name, consented, cookieSeconds);
    return c.redirect(target.href, 303);
  });

  app.get('/callback', async (c) => {
    const query = new URL(c.req.url).searchParams;
    if (hasDuplicates(query)) return show(c, await pages.rejectedCallbackPage());
    const cookieOf = (attemptId: string) => readCookie(c, cookieNameOf(attemptId));
    const result = await logins.callback(query, cookieOf, c.get('isLoopback'));
    if (result.kind === 'rejected') return show(c, await pages.rejectedCallbackPage());
    if (result.kind === 'code') {
      const { attemptId, code } = result;
      const cookie = `${code}.${codeMacOf(attemptId, code).toString('base64url')}`;
      writeCookie(c, codeCookieNameOf(attemptId), cookie, CODE_COOKIE_SECONDS);
    }
    return c.redirect(afterCallback(result), 303);
  });

  app.get('/login/done', async (c) => show(c, await pages.donePage(serverName)));

  app.get('/connect/:attempt/code', async (c) => {
    const attemptId = c.req.param('attempt');
    const [code = '', mac = null] = readCookie(c, codeCookieNameOf(attemptId))?.split('.') ?? [];
    const isShown = isSameMac(mac, codeMacOf(attemptId, code)) && logins.awaitsCode(attemptId, code);
    return show(c, isShown ? await pages.codePage(serverName, code) : await pages.goneLinkPage());
  });

  app.get('/login/failed/:failure', async (c) => {
    const failure = c.req.param('failure');
    return pages.isLoginFailure(failure) ? show(c, await pages.failurePage(failure)) : c.notFound();
  });

  return app;
}

/** Cookies are named per attempt, so that two logins in one browser do not meet. */
function cookieNameOf(attemptId: string): string {
  return `mcp-login-${digestOf(attemptId).slice(0, 16)}`;
}

function codeCookieNameOf(attemptId: string): string {
  return `mcp-login-code-${digestOf(attemptId).slice(0, 16)}`;
}

function isSameMac(value: string | null, expected: Buffer): boolean {
  const given = Buffer.from(value ?? '', 'base64url');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function hasDuplicates(query: URLSearchParams): boolean {
  return new Set(query.keys()).size !== query.size;
}

function unavailable(error: unknown): 'unavailable' {
  if (error instanceof SessionError) return 'unavailable';
  throw error;
}

function afterCallback(result: Exclude<CallbackResult, { kind: 'rejected' }>): string {
  switch (result.kind) {
    case 'authenticated':
      return '/login/done';
    case 'code':
      return `/connect/${result.attemptId}/code`;
    case 'continue':
      return result.url.href;
    case 'failed':
      return `/login/failed/${result.failure}`;
  }
}

/**
 * The form may lead on to any https address: browsers apply `form-action` to every redirect that follows,
 * and a provider may well send its users on to another one.
 */
function show(c: Context<HttpEnv>, page: Page): Response {
  const policy = [
    "default-src 'none'",
    `style-src '${pageStyleHash}'`,
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
