import { fileURLToPath } from 'node:url';
import type { Page, Response } from 'playwright-core';
import { expect } from 'vitest';
import { appearanceOf, contrast, focusOf, luminance } from './appearance.js';
import { violationsOf } from './axe.js';

/** The folder of the screenshots. */
export const SCREENSHOTS: string = fileURLToPath(new URL('../../test-results/screenshots/', import.meta.url));

const SCHEMES = ['light', 'dark'] as const;
const PHONE = { width: 360, height: 640 };
const SIZES = [PHONE, { width: 1280, height: 800 }];
/** A desktop window at a zoom of 400 % (WCAG 2.2, 1.4.10). */
const NARROWEST = { width: 320, height: 256 };

/** WCAG 2.2, 1.4.3 (text) and 1.4.11 (controls). */
const TEXT_CONTRAST = 4.5;
const CONTROL_CONTRAST = 3;
/** WCAG 2.2, 2.5.5. */
const TARGET_PX = 44;

/** Checks the appearance of a page. */
export type CheckLooks = (page: Page, name: string) => Promise<void>;

/** Checks a page on a phone, in the light scheme. */
export async function expectGoodLookOnPhone(page: Page, name: string): Promise<void> {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(PHONE);
  await expectGoodLook(page, name);
  expect(await violationsOf(page), name).toEqual([]);
}

/** Checks a page and takes screenshots: light and dark, on a phone and on a desktop. */
export async function expectGoodLooks(page: Page, name: string): Promise<void> {
  const backgrounds = { light: Number.NaN, dark: Number.NaN };
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    for (const size of SIZES) {
      await page.setViewportSize(size);
      const look = `${name}-${colorScheme}-${size.width}`;
      await page.screenshot({ path: `${SCREENSHOTS}${look}.png`, fullPage: true });
      backgrounds[colorScheme] = await expectGoodLook(page, look);
      expect(await violationsOf(page), look).toEqual([]);
    }
  }
  expect(backgrounds.light, name).toBeGreaterThan(0.8);
  expect(backgrounds.dark, name).toBeLessThan(0.05);
  await page.setViewportSize(NARROWEST);
  expect((await appearanceOf(page)).overflowPx, `${name}, narrowest`).toBe(0);
  expect(await movingIn(page), name).toEqual([]);
  await page.emulateMedia({ forcedColors: 'active' });
  await page.screenshot({ path: `${SCREENSHOTS}${name}-forced.png` });
  await page.emulateMedia({ forcedColors: 'none' });
}

/** @returns the luminance of the page's background */
async function expectGoodLook(page: Page, look: string): Promise<number> {
  const { language, title, headings, overflowPx, background, texts, fields, targets } =
    await appearanceOf(page);
  expect({ look, language, headings: headings.length, overflowPx }).toEqual({
    look,
    language: 'en',
    headings: 1,
    overflowPx: 0,
  });
  expect(title, look).not.toBe('');
  expect(texts.length, look).toBeGreaterThan(0);
  expect(faint(texts, TEXT_CONTRAST), look).toEqual([]);
  expect(faint(fields, CONTROL_CONTRAST), look).toEqual([]);
  expect(
    targets.filter(({ width, height }) => Math.min(width, height) < TARGET_PX),
    look,
  ).toEqual([]);
  return luminance(background);
}

function faint(pairs: ReadonlyArray<Parameters<typeof contrast>[0]>, least: number): string[] {
  return pairs
    .filter((pair) => contrast(pair) < least)
    .map((pair) => `${pair.what}: ${contrast(pair).toFixed(2)}`);
}

/** The elements with an animation or a transition. */
function movingIn(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('*')]
      .filter((element) => {
        const { transitionDuration, animationName } = getComputedStyle(element);
        return animationName !== 'none' || /[1-9]/.test(transitionDuration);
      })
      .map((element) => element.tagName),
  );
}

/** Checks the security headers of a page. */
export function expectGuarded(response: Response | null, status = 200): void {
  const headers = response?.headers();
  expect(response?.status()).toBe(status);
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
  });
  const policy = headers?.['content-security-policy'];
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe');
  expect(policy).not.toContain('script-src');
}

/** Presses the Tab key, and checks that it focuses `label` visibly. */
export async function tabTo(page: Page, label: string): Promise<void> {
  await page.keyboard.press('Tab');
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    const { ring, ...focus } = await focusOf(page);
    expect(focus).toMatchObject({ label, isVisible: true });
    expect(focus.ringWidthPx).toBeGreaterThanOrEqual(2);
    expect(contrast(ring), `${label}, ${colorScheme}`).toBeGreaterThanOrEqual(CONTROL_CONTRAST);
  }
}
