import axe from 'axe-core';
import type { Page } from 'playwright-core';

/**
 * The violations that axe finds in a page, with the elements, by all of its rules including best practices. The debugger
 * injects its script, because the content security policy forbids scripts.
 */
export async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    // The injected script defines it.
    const { axe: inPage } = globalThis as unknown as { axe: typeof axe };
    return (await inPage.run()).violations;
  });
  return violations.map(
    ({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ html }) => html).join(', ')})`,
  );
}
