import { timingSafeEqual } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { SessionError } from '../errors.js';
import type { RateLimiter } from '../limits/rate-limiter.js';
import type { Brand } from '../login/branding.js';
import type { BrowserLogins, CallbackResult } from '../login/browser-logins.js';
import { failurePage, isLoginFailure } from '../login/failure-page.js';
import { codePage, connectPage, donePage } from '../login/pages.js';
import {
  goneLinkPage,
  providerDownPage,
  rejectedCallbackPage,
  tooOftenPage,
  wrongFormPage,
} from '../login/problem-pages.js';
import { digestOf } from '../login/secret-digest.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import { readForm } from './form-body.js';
import type { Guards } from './guards.js';
import type { HttpEnv } from './http-env.js';
import { showPage } from './show-page.js';

export interface LoginRoutesOptions {
  readonly logins: BrowserLogins;
  readonly guards: Guards;
  /** How often an address may ask for a page. */
  readonly pageRequests: RateLimiter;
  readonly keys: KeyHierarchy;
  readonly random: RandomSource;
  readonly publicUrl: () => URL;
  /** Whose pages these are. */
  readonly brand: Brand;
  /** How long a started login can be finished, and its cookie lives. */
  readonly loginAttemptMs: number;
}

const CODE_COOKIE_SECONDS = 300;

/** What a browser meets during a login: the connect page, the callback, and the pages at its end. */
export function loginRoutes(options: LoginRoutesOptions): Hono<HttpEnv> {
  const { logins, guards, brand, random } = options;
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
      return showPage(c, await tooOftenPage(brand, seconds));
    });
  }

  app.get('/connect/:attempt', async (c) => {
    const attemptId = c.req.param('attempt');
    const request = logins.connectRequest(attemptId);
    if (!request) return showPage(c, await goneLinkPage(brand));
    const name = cookieNameOf(attemptId);
    const cookie = readCookie(c, name) ?? randomToken(random);
    writeCookie(c, name, cookie, cookieSeconds);
    const formToken = formTokenOf(attemptId, cookie).toString('base64url');
    return showPage(c, await connectPage(brand, request, formToken));
  });

  app.post('/connect/:attempt', async (c) => {
    const attemptId = c.req.param('attempt');
    const name = cookieNameOf(attemptId);
    const form = await readForm(c.req.raw, c.env?.incoming);
    if (form === 'too-large') return showPage(c, await wrongFormPage(brand, 413));
    const cookie = readCookie(c, name);
    const isOurs = cookie !== undefined && isSameMac(form.get('form'), formTokenOf(attemptId, cookie));
    if (!isOurs || !guards.isOwnPage(c.req.raw.headers)) return showPage(c, await wrongFormPage(brand));
    if (form.get('action') !== 'continue') {
      logins.decline(attemptId);
      return c.redirect('/login/failed/declined', 303);
    }
    const consented = randomToken(random);
    const target = await logins.consent(attemptId, consented).catch(unavailable);
    if (target === 'unavailable') {
      const request = logins.connectRequest(attemptId);
      const unreached = request?.signInAt ?? request?.provider ?? 'The provider';
      return showPage(c, await providerDownPage(brand, unreached));
    }
    if (!target) return showPage(c, await goneLinkPage(brand));
    writeCookie(c, name, consented, cookieSeconds);
    return c.redirect(target.href, 303);
  });

  app.get('/callback', async (c) => {
    const query = new URL(c.req.url).searchParams;
    if (hasDuplicates(query)) return showPage(c, await rejectedCallbackPage(brand));
    const cookieOf = (attemptId: string) => readCookie(c, cookieNameOf(attemptId));
    const result = await logins.callback(query, cookieOf, c.get('isLoopback'));
    if (result.kind === 'rejected') return showPage(c, await rejectedCallbackPage(brand));
    if (result.kind === 'code') {
      const { attemptId, code } = result;
      const cookie = `${code}.${codeMacOf(attemptId, code).toString('base64url')}`;
      writeCookie(c, codeCookieNameOf(attemptId), cookie, CODE_COOKIE_SECONDS);
    }
    return c.redirect(afterCallback(result), 303);
  });

  app.get('/login/done', async (c) => showPage(c, await donePage(brand)));

  app.get('/connect/:attempt/code', async (c) => {
    const attemptId = c.req.param('attempt');
    const [code = '', mac = null] = readCookie(c, codeCookieNameOf(attemptId))?.split('.') ?? [];
    const isShown = isSameMac(mac, codeMacOf(attemptId, code)) && logins.awaitsCode(attemptId, code);
    return showPage(c, isShown ? await codePage(brand, code) : await goneLinkPage(brand));
  });

  app.get('/login/failed/:failure', async (c) => {
    const failure = c.req.param('failure');
    return isLoginFailure(failure) ? showPage(c, await failurePage(brand, failure)) : c.notFound();
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
