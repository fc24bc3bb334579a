import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isInstalled } from './installed-program.js';

const HERE = fileURLToPath(import.meta.url);
const missing = { path: `${HERE}/chromium`, debianPackage: 'chromium' };

describe('without a program, the tests that need it', () => {
  afterEach(() => vi.restoreAllMocks());

  it.each([{ CI: 'true' }, { CI: '1' }, { REQUIRE_PROGRAMS: '1' }])('fail where %o is set', (environment) => {
    expect(() => isInstalled(missing, environment)).toThrow(`${missing.path} is missing`);
    expect(isInstalled({ ...missing, path: HERE }, environment)).toBe(true);
  });

  it.each([{}, { CI: '' }, { CI: 'false', REQUIRE_PROGRAMS: '0' }])(
    'are skipped with %o, and a warning says so',
    (environment) => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
      expect(isInstalled(missing, environment)).toBe(false);
      expect(warn).toHaveBeenCalledWith(expect.stringMatching(/^SKIPPED: the tests with chromium/));
    },
  );
});
