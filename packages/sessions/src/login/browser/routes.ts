import { type Context, Hono } from 'hono';
import type { BodyMemoryLimit } from '../../http/body/body-memory-limit.js';
import { readForm } from '../../http/body/form-body.js';
import type { Guards } from '../../http/guards.js';
import { bodySourceOf, type HttpEnv } from '../../http/http-env.js';
import { type RandomSource, randomToken } from '../../vault/random.js';
import { digestOf } from '../../vault/secret-digest.js';
import type { Brand } from '../pages/branding.js';
import {
  failurePage,
  failurePathOf,
  isLoginFailure,
  isProviderFailureReason,
} from '../pages/failure-page.js';
import { codePage, connectPage, donePage } from '../pages/pages.js';
import {
  expiredLinkPage,
  invalidFormPage,
  providerUnavailablePage,
  rejectedCallbackPage,
  tooManyRequestsPage,
} from '../pages/problem-pages.js';
import { DEFAULT_CALLBACK_PATH, providerCallbackPath, SIGN_IN_CALLBACK_PATH } from './authorization.js';
import { LoginCookies, type LoginCookiesOptions } from './cookies.js';
import type { BrowserFlow, CallbackResult } from './flow.js';
import type { LoginRequestLimits } from './request-limits.js';
import { showPage } from './show-page.js';

export interface LoginRoutesOptions extends LoginCookiesOptions {
  readonly browserFlow: BrowserFlow;
  readonly guards: Guards;
  readonly loginRequests: LoginRequestLimits;
  /** The memory limit for all request bodies of this node. */
  readonly bodyMemory: BodyMemoryLimit;
  readonly random: RandomSource;
  /** The name and logo on the pages. */
  readonly brand: Brand;
  readonly onError: (error: unknown) => void;
}

/** The routes of a login in a browser: the connect page, the redirect URIs, and the last pages. */
export function loginRoutes(options: LoginRoutesOptions): Hono<HttpEnv> {
  const { browserFlow, guards, loginRequests, brand, random, bodyMemory } = options;
  const cookies = new LoginCookies(options);
  /** The path of a page in the public URL. */
  const at = (path: string) => {
    const { pathname, search } = new URL(`.${path}`, options.publicUrl());
    return `${pathname}${search}`;
  };

  /** The confirmation code of a login that waits for it, in the browser that shows it. */
  const currentCodeOf = async (c: Context<HttpEnv>, attemptId: string) => {
    const code = cookies.code(c, attemptId);
    const isCurrent = code !== undefined && (await browserFlow.isCurrentCode(attemptId, code));
    return isCurrent ? code : undefined;
  };

  /** Shows why the login of a link is not pending. */
  const showEnded = async (c: Context<HttpEnv>, attemptId: string) => {
    if ((await currentCodeOf(c, attemptId)) !== undefined) return c.redirect(at(codePathOf(attemptId)), 303);
    const fault = await browserFlow.faultOf(attemptId);
    return fault ? c.redirect(at(failurePathOf(fault)), 303) : showPage(c, await expiredLinkPage(brand));
  };

  const app = new Hono<HttpEnv>();

  const showTooManyRequests = async (c: Context<HttpEnv>, seconds: number) => {
    c.header('retry-after', String(seconds));
    return showPage(c, await tooManyRequestsPage(brand, seconds));
  };

  for (const path of ['/connect/:attempt', '/connect/:attempt/code']) {
    app.use(path, async (c, next) => {
      const attemptId = c.req.param('attempt') ?? '';
      const clientKey = c.get('clientKey');
      const seconds = (await browserFlow.isKnown(attemptId))
        ? await loginRequests.ofLogin(clientKey, attemptId)
        : await loginRequests.ofAddress(clientKey);
      return seconds === undefined ? next() : showTooManyRequests(c, seconds);
    });
  }

  app.get('/connect/:attempt', async (c) => {
    const attemptId = c.req.param('attempt');
    const request = await browserFlow.connectRequest(attemptId);
    if (!request) return showEnded(c, attemptId);
    const binding = cookies.binding(c, digestOf(attemptId)) ?? randomToken(random);
    cookies.bind(c, attemptId, binding);
    return showPage(c, await connectPage(brand, request, cookies.formTokenOf(attemptId, binding)));
  });

  app.post('/connect/:attempt', async (c) => {
    const attemptId = c.req.param('attempt');
    const form = await readForm(bodySourceOf(c), bodyMemory);
    if (form === 'memory-full') return showTooManyRequests(c, 1);
    if (form === 'too-large') return showPage(c, await invalidFormPage(brand, 413));
    const isOwn = cookies.isOwnForm(c, attemptId, form.get('form')) && guards.isOwnPage(c.req.raw.headers);
    if (!isOwn) return showPage(c, await invalidFormPage(brand));
    const request = await browserFlow.connectRequest(attemptId);
    if (!request) return showEnded(c, attemptId);
    if (form.get('action') !== 'continue') {
      return c.redirect(at(failurePathOf(await browserFlow.decline(attemptId))), 303);
    }
    const binding = randomToken(random);
    const result = await browserFlow.consent(attemptId, binding);
    if (result === undefined) return showEnded(c, attemptId);
    if (result.kind === 'failed') return showPage(c, await failurePage(brand, result, 502));
    if (result.kind === 'unavailable') {
      const destination = request.signInAt ?? request.provider;
      return showPage(c, await providerUnavailablePage(brand, destination, result));
    }
    cookies.bind(c, attemptId, binding);
    return c.redirect(result.url.href, 303);
  });

  /** Handles an authorization response at a redirect URI. */
  const handleCallback = async (c: Context<HttpEnv>, path: string) => {
    const query = new URL(c.req.url).searchParams;
    const cookieOf = (attemptDigest: string) => cookies.binding(c, attemptDigest);
    const response = { path, query, cookieOf, cookies: () => cookies.bindings(c) };
    const isValid = !hasDuplicates(query) && (await browserFlow.isValidResponse(response));
    // Valid responses are not limited: their users have logged in at the provider.
    const seconds = isValid ? undefined : await loginRequests.ofAddress(c.get('clientKey'));
    if (seconds !== undefined) return showTooManyRequests(c, seconds);
    if (hasDuplicates(query)) return showPage(c, await rejectedCallbackPage(brand));
    const result = await browserFlow.handleCallback({ ...response, origin: c.get('origin') });
    if (result.kind === 'rejected') return showPage(c, await rejectedCallbackPage(brand));
    if (result.kind === 'mismatched')
      return showPage(c, await failurePage(brand, { failure: 'browser_mismatch' }, 400));
    if (result.kind === 'code') cookies.keepCode(c, result.attemptId, result.code);
    if (result.kind === 'authenticated') cookies.keepCompleted(c, result);
    return c.redirect(result.kind === 'continue' ? result.url.href : at(resultPathOf(result)), 303);
  };

  /**
   * Handles an authorization response that the page of a provider posts. Such a request is cross-site, so that it has
   * no `SameSite=Lax` cookie: a redirect repeats it as the query of a GET request, which has.
   */
  const handleForm = async (c: Context<HttpEnv>, path: string, fields: readonly string[]) => {
    const form = await readForm(bodySourceOf(c), bodyMemory);
    if (form === 'memory-full') return showTooManyRequests(c, 1);
    if (form === 'too-large') return showPage(c, await invalidFormPage(brand, 413));
    const seconds = (await browserFlow.hasState(form))
      ? undefined
      : await loginRequests.ofAddress(c.get('clientKey'));
    if (seconds !== undefined) return showTooManyRequests(c, seconds);
    if (hasDuplicates(form)) return showPage(c, await rejectedCallbackPage(brand));
    const query = new URLSearchParams([...form].filter(([name]) => fields.includes(name)));
    return c.redirect(`${at(path)}?${query}`, 303);
  };
  for (const [path, fields] of browserFlow.formFields) app.post(path, (c) => handleForm(c, path, fields));

  app.get(DEFAULT_CALLBACK_PATH, (c) => handleCallback(c, DEFAULT_CALLBACK_PATH));
  app.get(SIGN_IN_CALLBACK_PATH, (c) => handleCallback(c, SIGN_IN_CALLBACK_PATH));
  app.get('/login/callback/:provider', (c) =>
    handleCallback(c, providerCallbackPath(c.req.param('provider'))),
  );

  app.get('/login/done', async (c) => showPage(c, await donePage(brand, cookies.takeCompleted(c))));

  app.get('/connect/:attempt/code', async (c) => {
    const attemptId = c.req.param('attempt');
    const code = await currentCodeOf(c, attemptId);
    return code === undefined ? showEnded(c, attemptId) : showPage(c, await codePage(brand, code));
  });

  const showFailed = async (c: Context<HttpEnv>) => {
    const { failure = '', reason } = c.req.param();
    if (!isLoginFailure(failure)) return c.notFound();
    if (reason !== undefined && !isProviderFailureReason(reason)) return c.notFound();
    const keepsLogin = c.req.query('login') === 'kept';
    return showPage(c, await failurePage(brand, { failure, reason, keepsLogin }));
  };
  app.get('/login/failed/:failure', showFailed);
  app.get('/login/failed/:failure/:reason', showFailed);

  return app;
}

function codePathOf(attemptId: string): string {
  return `/connect/${attemptId}/code`;
}

function hasDuplicates(query: URLSearchParams): boolean {
  return new Set(query.keys()).size !== query.size;
}

function resultPathOf(
  result: Exclude<CallbackResult, { kind: 'rejected' | 'mismatched' | 'continue' }>,
): string {
  switch (result.kind) {
    case 'authenticated':
      return '/login/done';
    case 'code':
      return codePathOf(result.attemptId);
    case 'failed':
      return failurePathOf(result);
  }
}
