import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

// What `npm run mutation` runs again and again: the tests that need no process but this one.
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: [
      'packages/sessions/src/**/*.test.ts',
      'test/contracts/**/*.test.ts',
      'test/properties/**/*.test.ts',
    ],
  },
});
