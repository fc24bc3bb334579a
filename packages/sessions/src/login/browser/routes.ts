import { type Context, Hono } from 'hono';
import { SessionError } from '../../errors.js';
import type { BodyMemoryLimit } from '../../http/body/body-memory-limit.js';
import { readForm } from '../../http/body/form-body.js';
import type { Guards } from '../../http/guards.js';
import { bodySourceOf, type HttpEnv } from '../../http/http-env.js';
import type { LoginFailure } from '../../session/session-events.js';
import { type RandomSource, randomToken } from '../../vault/random.js';
import { digestOf } from '../../vault/secret-digest.js';
import type { Brand } from '../pages/branding.js';
import { failurePage, isLoginFailure } from '../pages/failure-page.js';
import { codePage, connectPage, donePage } from '../pages/pages.js';
import {
  goneLinkPage,
  type ProviderFailureReason,
  providerTroublePage,
  rejectedCallbackPage,
  tooManyRequestsPage,
  wrongFormPage,
} from '../pages/problem-pages.js';
import { DEFAULT_CALLBACK_PATH, providerCallbackPath, SIGN_IN_CALLBACK_PATH } from './callback-paths.js';
import { LoginCookies, type LoginCookiesOptions } from './cookies.js';
import type { BrowserLogins, CallbackResult } from './flow.js';
import type { LoginRequestLimits } from './request-limits.js';
import { showPage } from './show-page.js';

export interface LoginRoutesOptions extends LoginCookiesOptions {
  readonly logins: BrowserLogins;
  readonly guards: Guards;
  readonly loginRequests: LoginRequestLimits;
  /** For all bodies of this node. */
  readonly bodyRoom: BodyMemoryLimit;
  readonly random: RandomSource;
  /** Whose pages these are. */
  readonly brand: Brand;
  readonly onError: (error: unknown) => void;
}

/** What a browser meets during a login: the connect page, the callback, and the pages at its end. */
export function loginRoutes(options: LoginRoutesOptions): Hono<HttpEnv> {
  const { logins, guards, loginRequests, brand, random, bodyRoom, onError } = options;
  const cookies = new LoginCookies(options);
  /** A path below the public URL, as browsers request it. */
  const at = (path: string) => new URL(`.${path}`, options.publicUrl()).pathname;

  /** There is no login behind a link, or no longer. */
  const showOver = async (c: Context<HttpEnv>, attemptId: string) => {
    const failure = logins.failureOf(attemptId);
    return failure ? c.redirect(at(pathOf(failure)), 303) : showPage(c, await goneLinkPage(brand));
  };

  const app = new Hono<HttpEnv>();

  const showTooOften = async (c: Context<HttpEnv>, seconds: number) => {
    c.header('retry-after', String(seconds));
    return showPage(c, await tooManyRequestsPage(brand, seconds));
  };

  for (const path of ['/connect/:attempt', '/connect/:attempt/code']) {
    app.use(path, async (c, next) => {
      const attemptId = c.req.param('attempt') ?? '';
      const clientKey = c.get('clientKey');
      const seconds = logins.isKnown(attemptId)
        ? loginRequests.ofLogin(clientKey, attemptId)
        : loginRequests.ofAddress(clientKey);
      return seconds === undefined ? next() : showTooOften(c, seconds);
    });
  }

  app.get('/connect/:attempt', async (c) => {
    const attemptId = c.req.param('attempt');
    const request = logins.connectRequest(attemptId);
    if (!request) return showOver(c, attemptId);
    const binding = cookies.binding(c, digestOf(attemptId)) ?? randomToken(random);
    cookies.bind(c, attemptId, binding);
    return showPage(c, await connectPage(brand, request, cookies.formTokenOf(attemptId, binding)));
  });

  app.post('/connect/:attempt', async (c) => {
    const attemptId = c.req.param('attempt');
    const form = await readForm(bodySourceOf(c), bodyRoom);
    if (form === 'no-room') return showTooOften(c, 1);
    if (form === 'too-large') return showPage(c, await wrongFormPage(brand, 413));
    const isOwn = cookies.isOwnForm(c, attemptId, form.get('form')) && guards.isOwnPage(c.req.raw.headers);
    if (!isOwn) return showPage(c, await wrongFormPage(brand));
    const request = logins.connectRequest(attemptId);
    if (!request) return showOver(c, attemptId);
    if (form.get('action') !== 'continue') {
      logins.decline(attemptId);
      return c.redirect(at(pathOf('declined')), 303);
    }
    const binding = randomToken(random);
    const target = await logins.consent(attemptId, binding).catch((error: unknown) => {
      const failureReason = failureReasonOf(error);
      // Only the operator can do something about it.
      if (failureReason === 'provider_refused') onError(error);
      return failureReason;
    });
    if (target === undefined) return showOver(c, attemptId);
    if (!(target instanceof URL)) {
      return showPage(c, await providerTroublePage(brand, request.signInAt ?? request.provider, target));
    }
    cookies.bind(c, attemptId, binding);
    return c.redirect(target.href, 303);
  });

  /** Handles the return of a browser from an authorization server, at that server's redirect URI. */
  const comeBack = async (c: Context<HttpEnv>, path: string) => {
    const query = new URL(c.req.url).searchParams;
    const cookieOf = (attemptDigest: string) => cookies.binding(c, attemptDigest);
    const isValid = !hasDuplicates(query) && logins.isExpected({ query, cookieOf });
    // A user who has logged in at the provider is never refused.
    const seconds = isValid ? undefined : loginRequests.ofAddress(c.get('clientKey'));
    if (seconds !== undefined) return showTooOften(c, seconds);
    if (hasDuplicates(query)) return showPage(c, await rejectedCallbackPage(brand));
    const result = await logins.callback({ path, query, cookieOf, origin: c.get('origin') });
    if (result.kind === 'rejected') return showPage(c, await rejectedCallbackPage(brand));
    if (result.kind === 'mismatched') return showPage(c, await failurePage(brand, 'browser_mismatch', 400));
    if (result.kind === 'code') cookies.keepCode(c, result.attemptId, result.code);
    if (result.kind === 'authenticated') cookies.keepFinished(c, result);
    return c.redirect(result.kind === 'continue' ? result.url.href : at(afterCallback(result)), 303);
  };

  app.get(DEFAULT_CALLBACK_PATH, (c) => comeBack(c, DEFAULT_CALLBACK_PATH));
  app.get(SIGN_IN_CALLBACK_PATH, (c) => comeBack(c, SIGN_IN_CALLBACK_PATH));
  app.get('/login/callback/:provider', (c) => comeBack(c, providerCallbackPath(c.req.param('provider'))));

  app.get('/login/done', async (c) => showPage(c, await donePage(brand, cookies.takeFinished(c))));

  app.get('/connect/:attempt/code', async (c) => {
    const attemptId = c.req.param('attempt');
    const code = cookies.code(c, attemptId);
    if (code === undefined || !logins.awaitsCode(attemptId, code)) return showOver(c, attemptId);
    return showPage(c, await codePage(brand, code));
  });

  app.get('/login/failed/:failure', async (c) => {
    const failure = c.req.param('failure');
    return isLoginFailure(failure) ? showPage(c, await failurePage(brand, failure)) : c.notFound();
  });

  return app;
}

function hasDuplicates(query: URLSearchParams): boolean {
  return new Set(query.keys()).size !== query.size;
}

/** Why a browser cannot be sent to the provider. @throws whatever is no such reason */
function failureReasonOf(error: unknown): ProviderFailureReason {
  const code = error instanceof SessionError ? error.code : undefined;
  if (code === 'provider_unavailable' || code === 'provider_refused') return code;
  throw error;
}

function afterCallback(
  result: Exclude<CallbackResult, { kind: 'rejected' | 'mismatched' | 'continue' }>,
): string {
  switch (result.kind) {
    case 'authenticated':
      return '/login/done';
    case 'code':
      return `/connect/${result.attemptId}/code`;
    case 'failed':
      return pathOf(result.failure);
  }
}

function pathOf(failure: LoginFailure): string {
  return `/login/failed/${failure}`;
}
