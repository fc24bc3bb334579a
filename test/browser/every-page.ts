import type { Page } from 'playwright-core';
import type { LoginFailure } from '../../packages/sessions/src/session/session-events.js';
import { isInstalled } from '../support/installed-program.js';
import { REDIS } from '../support/redis-server.js';
import type { PageStage } from './page-stage.js';

/** A page, how a browser opens it, and its expected content. */
export interface PageCase {
  /** The name of its screenshots. */
  readonly name: string;
  readonly open: (page: Page, stage: PageStage) => Promise<unknown>;
  readonly status: number;
  readonly heading: string;
  readonly says: readonly string[];
  /** The elements that the Tab key reaches, in order. */
  readonly tabStops?: readonly string[];
  /** Whether the page must not name the server. */
  readonly isNameless?: boolean;
}

const QUESTION = { status: 200, heading: 'Log in to Notes?', tabStops: ['Decline', 'Continue'] };

/** A client's name of the maximum length, without a line break opportunity. */
const LONG_NAME = 'W'.repeat(80);
/** Marks a request as forwarded by a proxy, and so as remote. */
const REMOTE = { 'x-forwarded-for': '192.0.2.1' };

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

const LOGIN_PAGES: readonly PageCase[] = [
  {
    ...QUESTION,
    name: 'connect',
    open: async (page, stage) => page.goto(await stage.link()),
    says: [
      'Example Client',
      'Self-reported name, not verified',
      'sample · 127.0.0.1:',
      'your identity',
      'just now',
      'Continue only if you started this login.',
      'If another person sent you the link, decline.',
    ],
  },
  {
    ...QUESTION,
    name: 'connect-sign-in',
    open: async (page, stage) => page.goto(await stage.signInLink('up')),
    says: [
      'sample · 127.0.0.1:',
      'First, you sign in at 127.0.0.1:',
      'to confirm that you started this login',
    ],
  },
  {
    ...QUESTION,
    name: 'connect-long-name',
    open: async (page, stage) => page.goto(await stage.link(`${LONG_NAME}more`)),
    says: [LONG_NAME],
  },
  {
    ...QUESTION,
    name: 'connect-no-name',
    open: async (page, stage) => page.goto(await stage.link(' ')),
    says: ['No name given'],
  },
  {
    name: 'code',
    async open(page, stage) {
      await page.setExtraHTTPHeaders(REMOTE);
      await page.goto(await stage.link());
      await press(page, 'Continue');
      await press(page, 'alice');
      await page.waitForURL(/\/code$/);
    },
    status: 200,
    heading: 'Confirm in your client',
    says: [
      'Enter this code in the client in which you started the login',
      'expires in five minutes',
      'Do not give the code to another person.',
    ],
  },
  {
    name: 'done',
    async open(page, stage) {
      await page.goto(await stage.link());
      await press(page, 'Continue');
      await press(page, 'alice');
      await page.waitForURL(/\/login\/done$/);
    },
    status: 200,
    heading: 'You are logged in',
    says: [
      'You are logged in as alice.',
      'You can close this window and return to Example Client.',
      'Notes keeps your access tokens in memory only.',
    ],
  },
  {
    name: 'done-again',
    open: (page, stage) => page.goto(stage.at('/login/done')),
    status: 200,
    heading: 'You are logged in',
    says: ['You can close this window and return to your client.', 'after a period of inactivity'],
  },
];

/** The content of the page of each failure: its heading, the reason, and what to do next. */
const FAILURES: Readonly<Record<LoginFailure, readonly [heading: string, why: string, advice: string]>> = {
  declined: ['Login declined', 'No access was granted', 'ask your client for a new link'],
  expired: ['Login expired', 'not completed in time', 'Ask your client to log in again'],
  browser_mismatch: ['Different browser', 'in another browser', 'use one browser for the whole login'],
  identity_mismatch: [
    'Different user',
    'not the user who started this login',
    'use the same account here as in the client',
  ],
  provider_unavailable: ['Provider unavailable', 'did not respond', 'Wait a minute'],
  provider_refused: ['Login rejected', 'provider rejected', 'Ask your client to log in again'],
  internal_error: [
    'Login failed',
    'an internal error',
    'tell the operator of this server: the log has the error',
  ],
  wrong_code: ['Incorrect code', 'an incorrect code too many times', 'exactly as shown'],
  superseded: ['Login replaced', 'A newer login', 'Use the latest link or code'],
  canceled: ['Login canceled', 'Your client canceled this login', 'ask your client for a new link'],
  evicted: ['Too many logins', 'too many pending logins', 'Wait a minute'],
  signed_out: ['Session ended', 'The client logged out', 'Ask your client to log in again'],
};

const FAILURE_PAGES = Object.entries(FAILURES).map(
  ([failure, [heading, ...says]]): PageCase => ({
    name: `failed-${failure}`,
    open: (page, stage) => page.goto(stage.at(`/login/failed/${failure}`)),
    status: 200,
    heading,
    says: [...says, 'You can close this window.'],
  }),
);

const PROBLEM_PAGES: readonly PageCase[] = [
  {
    name: 'expired-link',
    open: (page, stage) => page.goto(stage.at('/connect/none')),
    status: 404,
    heading: 'Link expired',
    says: ['ask your client for a new link.'],
  },
  {
    name: 'invalid-form',
    async open(page, stage) {
      await page.goto(await stage.link());
      await page.context().clearCookies();
      await press(page, 'Continue');
    },
    status: 403,
    heading: 'Form rejected',
    says: ['Allow cookies for this site'],
    tabStops: ['Open the login again'],
  },
  {
    name: 'large-form',
    async open(page, stage) {
      await page.goto(await stage.link());
      await page.locator('input[name=form]').evaluate((input) => {
        input.setAttribute('value', 'x'.repeat(100_000));
      });
      await press(page, 'Continue');
    },
    status: 413,
    heading: 'Form rejected',
    says: ['The form data is too large.'],
    tabStops: ['Open the login again'],
  },
  {
    name: 'rejected-callback',
    open: (page, stage) => page.goto(stage.at('/callback?state=none&code=none')),
    status: 400,
    heading: 'Login cannot be completed',
    says: ['ask your client for a new link, and open it in this browser.'],
  },
  {
    name: 'provider-down',
    async open(page, stage) {
      await page.goto(await stage.signInLink('down'));
      await press(page, 'Continue');
    },
    status: 502,
    heading: 'Login unavailable',
    says: ['127.0.0.1', 'has not started', 'Wait a minute, then try again.'],
    tabStops: ['Open the login again'],
  },
  {
    name: 'provider-misconfigured',
    async open(page, stage) {
      await page.goto(await stage.signInLink('unknown'));
      await press(page, 'Continue');
    },
    status: 502,
    heading: 'Login rejected',
    says: ['The metadata of the provider was not found.', 'the log has the reason discovery_failed.'],
  },
  {
    name: 'too-many-requests',
    async open(page, stage) {
      await page.setExtraHTTPHeaders(REMOTE);
      await page.goto(stage.atLimited('/callback'));
      await page.goto(stage.atLimited('/callback'));
    },
    status: 429,
    heading: 'Too many requests',
    says: ['from your network', 'then reload this page'],
  },
  {
    name: 'not-found',
    open: (page, stage) => page.goto(stage.at('/nothing')),
    status: 404,
    heading: 'Page not found',
    says: ['The MCP endpoint is http', '/mcp.'],
  },
  {
    name: 'refused',
    open: (page, stage) => page.goto(stage.underOtherName('/login/done')),
    status: 403,
    heading: 'Request rejected',
    says: ['Use its public URL.'],
    isNameless: true,
  },
  {
    name: 'server-error',
    open: async (page, stage) => page.goto(await stage.brokenLink()),
    status: 500,
    heading: 'Internal error',
    says: ['If it fails again, tell the operator of this server: the log has the error.'],
  },
];

/** The engine of several servers is a program, which may be missing. */
const ENGINE_PAGES: readonly PageCase[] = isInstalled(REDIS)
  ? [
      {
        name: 'engine-down',
        open: async (page, stage) => page.goto(await stage.linkWithoutEngine()),
        status: 503,
        heading: 'Service unavailable',
        says: ['Wait a few seconds, then reload this page.'],
      },
    ]
  : [];

/** Pages that differ in more than their text. */
export const EVERY_KIND_OF_PAGE: readonly PageCase[] = [
  ...LOGIN_PAGES,
  ...FAILURE_PAGES.slice(0, 1),
  ...PROBLEM_PAGES,
  ...ENGINE_PAGES,
];

/** All pages. */
export const EVERY_PAGE: readonly PageCase[] = [
  ...LOGIN_PAGES,
  ...FAILURE_PAGES,
  ...PROBLEM_PAGES,
  ...ENGINE_PAGES,
];
