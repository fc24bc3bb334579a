import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { hasChromium } from './chromium.js';

const HERE = fileURLToPath(import.meta.url);
const NOWHERE = `${HERE}/chromium`;

describe('without Chromium, the browser tests', () => {
  afterEach(() => vi.restoreAllMocks());

  it.each([{ CI: 'true' }, { CI: '1' }, { REQUIRE_BROWSER: '1' }])('fail where %o is set', (environment) => {
    expect(() => hasChromium(NOWHERE, environment)).toThrow(`There is no ${NOWHERE}`);
    expect(hasChromium(HERE, environment)).toBe(true);
  });

  it.each([{}, { CI: '' }, { CI: 'false', REQUIRE_BROWSER: '0' }])(
    'are skipped with %o, and say so',
    (environment) => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
      expect(hasChromium(NOWHERE, environment)).toBe(false);
      expect(warn).toHaveBeenCalledWith(expect.stringMatching(/^SKIPPED: the browser tests/));
    },
  );
});
