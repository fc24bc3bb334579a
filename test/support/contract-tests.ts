import { describe as describeTests, it as test } from 'vitest';

let collected: Map<string, () => unknown> | undefined;

/** As in Vitest, unless the tests of a suite are being collected. */
export const describe: typeof describeTests = new Proxy(describeTests, {
  apply: (target, self, [title, define]: [string, () => void]) =>
    collected ? define() : Reflect.apply(target, self, [title, define]),
});

/** As in Vitest, unless the tests of a suite are being collected. */
export const it: typeof test = new Proxy(test, {
  apply: (target, self, [title, run]: [string, () => unknown]) =>
    collected ? collected.set(title, run) : Reflect.apply(target, self, [title, run]),
  // Tests that have a table are not collected.
  get: (target, name) => (collected ? () => () => undefined : Reflect.get(target, name)),
});

/**
 * The tests that a contract suite defines, by their titles, so that another test can run them against something that
 * breaks the contract.
 */
export function testsOf(define: () => void): ReadonlyMap<string, () => unknown> {
  const tests = new Map<string, () => unknown>();
  collected = tests;
  try {
    define();
  } finally {
    collected = undefined;
  }
  return tests;
}
