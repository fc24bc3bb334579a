import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const MINUTE_MS = 60_000;
const PACKAGES = 'packages/*/src/**';
const TESTS = 'test/**';
const LONG = [`${PACKAGES}/*.long.test.ts`, `${TESTS}/*.long.test.ts`];

export default defineConfig({
  resolve: {
    // Tests in this process run the library's sources; only the processes they spawn run what was built.
    alias: [
      { find: /^mcp-sessions$/, replacement: source('packages/sessions/src/index.ts') },
      { find: /^mcp-sessions\/providers$/, replacement: source('packages/sessions/src/presets/index.ts') },
      { find: /^mcp-sessions\/redis$/, replacement: source('packages/sessions/src/store/redis/index.ts') },
      { find: /^mcp-sessions\/testing$/, replacement: source('packages/sessions/src/testing/index.ts') },
    ],
  },
  test: {
    maxWorkers: 2,
    // Limits only end tests that hang. On a busy machine everything takes many times as long, and still passes.
    hookTimeout: 10 * MINUTE_MS,
    expect: { poll: { interval: 10, timeout: 4 * MINUTE_MS } },
    projects: [
      {
        extends: true,
        test: {
          name: 'packages',
          include: [`${PACKAGES}/*.test.ts`],
          exclude: LONG,
          testTimeout: 5 * MINUTE_MS,
          // Files that share a worker load the sources once, which halves the duration.
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'short', include: [`${TESTS}/*.test.ts`], exclude: LONG, testTimeout: 5 * MINUTE_MS },
      },
      { extends: true, test: { name: 'long', include: LONG, testTimeout: 30 * MINUTE_MS } },
    ],
  },
});
