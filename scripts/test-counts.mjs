// Prints one line, `N passed, N failed, N skipped`, from the reports of vitest's json reporter.
import { readFileSync } from 'node:fs';

function count(report) {
  // A test file that cannot be loaded has no results. It counts as one failure.
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function read(path) {
  try {
    return count(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    console.error(`There is no report at ${path}: the test run failed.`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

const counts = process.argv.slice(2).map(read);
const sum = (kind) => counts.reduce((total, { [kind]: number }) => total + number, 0);
const failed = sum('failed');
process.exitCode = failed > 0 ? 1 : 0;
console.log(`${sum('passed')} passed, ${failed} failed, ${sum('skipped')} skipped`);
