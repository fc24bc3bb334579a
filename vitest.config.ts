import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // Tests in this process run the library's sources; only the processes they spawn run what was built.
    alias: [
      { find: /^mcp-sessions$/, replacement: source('packages/sessions/src/index.ts') },
      { find: /^mcp-sessions\/testing$/, replacement: source('packages/sessions/src/testing/index.ts') },
    ],
  },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    // End-to-end tests spawn servers, identity providers and a browser.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
