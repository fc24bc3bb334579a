import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

const { projects, ...settings } = base.test ?? {};

// What `npm run mutation` runs again for every mutant: the tests that need no other process.
export default defineConfig({
  ...base,
  test: {
    ...settings,
    include: [
      'packages/sessions/src/**/*.test.ts',
      'test/contracts/**/*.test.ts',
      'test/properties/**/*.test.ts',
    ],
    exclude: ['**/*.long.test.ts'],
    // Files that share a worker load the sources once: it takes half the time.
    isolate: false,
  },
});
