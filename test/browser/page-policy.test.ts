import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { hasChromium, openWindow, type Window } from './chromium.js';
import { ACTIVE_LOGO } from './logo.js';

describe.skipIf(!hasChromium())('the content security policy of the pages', () => {
  let plain: InProcessNotes;
  let branded: InProcessNotes;
  let browser: Window;
  const pageOf = ({ mcp }: InProcessNotes) => new URL('/login/done', mcp).href;

  beforeAll(async () => {
    [plain, branded, browser] = await Promise.all([
      startInProcessNotes(),
      startInProcessNotes({ branding: { name: 'Acme Notes', logo: ACTIVE_LOGO } }),
      openWindow(),
    ]);
  });
  afterAll(() => Promise.all([browser?.close(), plain?.close(), branded?.close()]));
  beforeEach(async () => {
    await browser.page.goto('about:blank');
    browser.problems.length = 0;
    browser.hosts.clear();
  });

  it.each([
    ['an inline script', '<script>document.title = "run"</script>', 'script-src-elem'],
    ['a script of this server', '<script src="/login/done"></script>', 'script-src-elem'],
    ['a handler', '<img src="x" onerror="document.title = \'run\'">', 'img-src'],
    ['a javascript: link', '<a href="javascript:document.title = \'run\'">x</a>', 'script-src-elem'],
    ['a style element', '<style>main { display: none }</style>', 'style-src-elem'],
    ['a style on an element', '<p style="display: none">x</p>', 'style-src-attr'],
    ['a picture', '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', 'img-src'],
    ['another base', '<base href="http://elsewhere.test/">', 'base-uri'],
  ])('forbids %s [security 45]', async (_what, markup, directive) => {
    const { page } = browser;
    await page.goto(pageOf(plain));
    await page.evaluate((inserted) => {
      // Scripts in a fragment run, unlike those in innerHTML.
      document.body.append(document.createRange().createContextualFragment(inserted));
      document.querySelector('a')?.click();
    }, markup);
    await expect.poll(() => browser.problems.join('\n')).toContain(`${directive} forbids`);
    expect(await page.title()).not.toBe('run');
    expect([...browser.hosts]).toEqual(['127.0.0.1']);
  });

  it('forbids other pages to frame a page [security 45]', async () => {
    const { page } = browser;
    await page.goto(`${plain.provider.issuer}/.well-known/openid-configuration`);
    await page.evaluate((framed) => {
      const frame = document.createElement('iframe');
      frame.src = framed;
      document.body.append(frame);
    }, pageOf(plain));
    await expect.poll(() => browser.problems.join('\n')).toContain('frame-ancestors');
  });

  it('allows data: pictures only on pages with a logo [security 45]', async () => {
    const policyOf = async (notes: InProcessNotes) =>
      (await fetch(pageOf(notes))).headers.get('content-security-policy');
    expect(await policyOf(plain)).not.toContain('img-src');
    expect(await policyOf(branded)).toMatch(/; img-src data:;/);
  });

  it('shows a logo beside the name without running its script or loading its pictures [security 45, 46]', async () => {
    const { page } = browser;
    await page.goto(pageOf(branded));
    const logo = page.getByRole('banner').locator('img');
    expect(await logo.getAttribute('alt')).toBe('');
    expect(await logo.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
    expect(await logo.boundingBox()).toMatchObject({ height: 40 });
    expect(await page.getByRole('banner').textContent()).toBe('Acme Notes');
    expect(await page.title()).toBe('You are logged in · Acme Notes');
    expect([...browser.hosts]).toEqual(['127.0.0.1']);
    expect(browser.problems).toEqual([]);
  });

  it('shows errors as a page to browsers, as JSON to programs, and as JSON to all at the endpoint', async () => {
    const answerOf = async (path: string, headers: Record<string, string>) => {
      const answer = await fetch(new URL(path, plain.mcp), { headers });
      return [answer.status, answer.headers.get('content-type')?.split(';')[0]];
    };
    const person = { accept: 'text/html,*/*;q=0.8' };
    const otherOrigin = { ...person, origin: 'https://elsewhere.test' };
    expect(await answerOf('/nothing', person)).toEqual([404, 'text/html']);
    expect(await answerOf('/nothing', { accept: '*/*' })).toEqual([404, 'application/json']);
    expect(await answerOf('/login/done', otherOrigin)).toEqual([403, 'text/html']);
    expect(await answerOf('/mcp', otherOrigin)).toEqual([403, 'application/json']);
    for (const headers of [person, { accept: '*/*' }]) {
      const { headers: answered } = await fetch(new URL('/nothing', plain.mcp), { headers });
      expect(answered.get('vary')).toContain('Accept');
    }
  });
});
