import type { Page } from 'playwright-core';
import type { LoginFailure } from '../../packages/sessions/src/session/session-events.js';
import type { PageStage } from './page-stage.js';

/** A page, how a browser gets there, and what it has to say. */
export interface PageCase {
  /** Names its pictures. */
  readonly name: string;
  readonly open: (page: Page, stage: PageStage) => Promise<unknown>;
  readonly status: number;
  readonly heading: string;
  readonly says: readonly string[];
  /** What the Tab key reaches, in order. */
  readonly tabStops?: readonly string[];
  /** Whether it keeps to itself whose server this is. */
  readonly isNameless?: boolean;
}

const QUESTION = { status: 200, heading: 'Log in to Notes?', tabStops: ['Decline', 'Continue'] };

/** A client's name as long as any that is shown, without a place to break it. */
const LONG_NAME = 'W'.repeat(80);
/** Says that a request came through a proxy, and so from elsewhere. */
const FROM_AFAR = { 'x-forwarded-for': '192.0.2.1' };

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

const LOGIN_PAGES: readonly PageCase[] = [
  {
    ...QUESTION,
    name: 'connect',
    open: async (page, stage) => page.goto(await stage.link()),
    says: [
      'Example Client',
      'nobody has verified it',
      'sample · 127.0.0.1:',
      'who you are',
      'just now',
      'Continue only if you asked for this yourself.',
      'If somebody sent you the link, decline.',
    ],
  },
  {
    ...QUESTION,
    name: 'connect-sign-in',
    open: async (page, stage) => page.goto(await stage.signInLink('up')),
    says: ['sample · 127.0.0.1:', 'You first sign in at 127.0.0.1:', 'to show that it is you who asked'],
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
    says: ['Gives no name'],
  },
  {
    name: 'code',
    async open(page, stage) {
      await page.setExtraHTTPHeaders(FROM_AFAR);
      await page.goto(await stage.link());
      await press(page, 'Continue');
      await press(page, 'alice');
      await page.waitForURL(/\/code$/);
    },
    status: 200,
    heading: 'One more step',
    says: ['Give this code to the client', 'within five minutes', 'tell nobody'],
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
      'You are logged in as alice. Example Client can go on.',
      'You can close this window',
      'Notes keeps your access in its memory only.',
    ],
  },
  {
    name: 'done-again',
    open: (page, stage) => page.goto(stage.at('/login/done')),
    status: 200,
    heading: 'You are logged in',
    says: ['You can close this window', 'when your client has not used it for a while'],
  },
];

/** What a user is told of a failure: its heading, why, and what to do. */
const FAILURES: Readonly<Record<LoginFailure, readonly [heading: string, why: string, advice: string]>> = {
  declined: ['Nobody was logged in', 'was declined', 'ask your client for a new link'],
  expired: ['This took too long', 'has expired', 'Ask your client to log in again'],
  browser_mismatch: ['Another browser', 'went from one browser to another', 'stay in one browser'],
  identity_mismatch: ['Another user', 'You are not the user', 'use the same account here as in the client'],
  provider_unavailable: ['The provider did not answer', 'nothing was connected', 'Wait a minute'],
  provider_refused: ['The login was refused', 'provider refused', 'Ask your client to log in again'],
  wrong_code: ['Wrong code', 'a wrong code too often', 'exactly as it is shown'],
  superseded: ['There is a newer login', 'taken the place', 'Go on with the latest link or code'],
  evicted: ['Too many logins', 'had to make room', 'Wait a minute'],
  signed_out: ['The session is over', 'The client logged out', 'Ask your client to log in again'],
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
    name: 'gone-link',
    open: (page, stage) => page.goto(stage.at('/connect/none')),
    status: 404,
    heading: 'This link has expired',
    says: ['ask your client to log in again for a new link.'],
  },
  {
    name: 'wrong-form',
    async open(page, stage) {
      await page.goto(await stage.link());
      await page.context().clearCookies();
      await press(page, 'Continue');
    },
    status: 403,
    heading: 'This page cannot go on',
    says: ['Allow cookies for this address'],
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
    heading: 'This page cannot go on',
    says: ['larger than this form'],
    tabStops: ['Open the login again'],
  },
  {
    name: 'rejected-callback',
    open: (page, stage) => page.goto(stage.at('/callback?state=none&code=none')),
    status: 400,
    heading: 'This login cannot be finished',
    says: ['Ask your client to log in again, and open the new link here.'],
  },
  {
    name: 'provider-down',
    async open(page, stage) {
      await page.goto(await stage.signInLink('down'));
      await press(page, 'Continue');
    },
    status: 502,
    heading: 'The login is not available',
    says: ['127.0.0.1', 'cannot be reached', 'Wait a minute, then try again.'],
    tabStops: ['Open the login again'],
  },
  {
    name: 'provider-misconfigured',
    async open(page, stage) {
      await page.goto(await stage.signInLink('unknown'));
      await press(page, 'Continue');
    },
    status: 502,
    heading: 'The login is not available',
    says: ['127.0.0.1', 'Waiting does not help: tell whoever runs this server.'],
  },
  {
    name: 'too-often',
    async open(page, stage) {
      await page.setExtraHTTPHeaders(FROM_AFAR);
      await page.goto(stage.atImpatient('/callback'));
      await page.goto(stage.atImpatient('/callback'));
    },
    status: 429,
    heading: 'Too many requests',
    says: ['from your network', 'then load this page again'],
  },
  {
    name: 'not-found',
    open: (page, stage) => page.goto(stage.at('/nothing')),
    status: 404,
    heading: 'This page does not exist',
    says: ['The MCP endpoint is http', '/mcp.'],
  },
  {
    name: 'refused',
    open: (page, stage) => page.goto(stage.underOtherName('/login/done')),
    status: 403,
    heading: 'This request is refused',
    says: ['Use its public URL.'],
    isNameless: true,
  },
  {
    name: 'server-error',
    open: async (page, stage) => page.goto(await stage.brokenLink()),
    status: 500,
    heading: 'Something went wrong',
    says: ['Try again; if it stays so, tell its operator.'],
  },
];

/** Pages that differ in more than their words. */
export const EVERY_KIND_OF_PAGE: readonly PageCase[] = [
  ...LOGIN_PAGES,
  ...FAILURE_PAGES.slice(0, 1),
  ...PROBLEM_PAGES,
];

/** Every page that people can meet. */
export const EVERY_PAGE: readonly PageCase[] = [...LOGIN_PAGES, ...FAILURE_PAGES, ...PROBLEM_PAGES];
