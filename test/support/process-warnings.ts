import { onTestFinished } from 'vitest';

/**
 * Collects the warnings of this process until the test has finished.
 * @returns a function that returns those of all that has run before it is called
 */
export function collectWarnings(): () => Promise<readonly Error[]> {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  // Node emits a warning when all promises have been handled.
  return () => new Promise((resolve) => setImmediate(() => resolve(warnings)));
}
