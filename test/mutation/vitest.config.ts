import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.js';

const { projects, ...settings } = base.test ?? {};

// The tests that `npm run mutation` repeats for every mutant: those that start no other process.
export default defineConfig({
  ...base,
  root: fileURLToPath(new URL('../../', import.meta.url)),
  test: {
    ...settings,
    include: [
      'packages/sessions/src/**/*.test.ts',
      'test/contracts/**/*.test.ts',
      'test/properties/**/*.test.ts',
    ],
    exclude: ['**/*.long.test.ts'],
    // As in the project `short`: it only ends tests that hang.
    testTimeout: 5 * 60_000,
    // Files that share a worker load the sources once, which halves the duration.
    isolate: false,
  },
});
