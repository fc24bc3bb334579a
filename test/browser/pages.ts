import { mkdir } from 'node:fs/promises';
import type { Page, Response } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasChromium, openWindow, type Window } from './chromium.js';
import type { PageCase } from './every-page.js';
import { type CheckLooks, expectGuarded, SCREENSHOTS, tabTo } from './looks.js';
import { type PageStage, startPageStage } from './page-stage.js';

/** The console message of a browser for every response with an error status. */
const EXPECTED_PROBLEM = /Failed to load resource/;

/** Tests each page in a browser. @param checkLooks checks its appearance */
export function describePages(pages: readonly PageCase[], checkLooks: CheckLooks): void {
  describe.skipIf(!hasChromium())('a page of a login', () => {
    let stage: PageStage;
    let browser: Window;
    let page: Page;
    /** The response of the last navigation. */
    let last: Response | null;

    beforeAll(async () => {
      await mkdir(SCREENSHOTS, { recursive: true });
      [stage, browser] = await Promise.all([startPageStage(), openWindow()]);
    });
    afterAll(async () => {
      await browser?.close();
      await stage?.close();
    });
    beforeEach(async () => {
      browser.problems.length = 0;
      last = null;
      page = await browser.page.context().newPage();
      page.on('response', (response) => {
        if (response.request().isNavigationRequest()) last = response;
      });
    });
    afterEach(() => page?.close());

    it.each(pages)(
      '$name: is complete, accessible and guarded [security 45]',
      async ({ name, open, status, heading, says, tabStops = [], isNameless = false }) => {
        await open(page, stage);

        await page.getByRole('heading', { level: 1, name: heading }).waitFor();
        expectGuarded(last, status);
        const text = await page.locator('main').textContent();
        for (const words of says) expect(text).toContain(words);
        expect(await page.title()).toContain(heading);
        expect(await page.getByRole('banner').allTextContents()).toEqual(
          isNameless ? [] : [expect.stringMatching(/^notes$/i)],
        );
        if (isNameless) expect(await page.content()).not.toMatch(/notes/i);

        await checkLooks(page, name);
        for (const label of tabStops) await tabTo(page, label);
        await page.keyboard.press('Tab');
        expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('BODY');

        await page.emulateMedia({ forcedColors: 'active' });
        if (tabStops.length > 0) await tabTo(page, String(tabStops[0]));
        expect(browser.problems.filter((problem) => !EXPECTED_PROBLEM.test(problem))).toEqual([]);
      },
    );
  });
}
