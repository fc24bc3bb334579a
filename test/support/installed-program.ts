import { existsSync } from 'node:fs';

/** A program that tests need and npm does not provide. */
export interface Program {
  /** Its path in the Debian package. */
  readonly path: string;
  readonly debianPackage: string;
}

/**
 * Whether a program is installed. If it is not, its tests are skipped, and a warning says so.
 * @throws if tests must not be skipped: `CI` or `REQUIRE_PROGRAMS` is set
 */
export function isInstalled(
  { path, debianPackage }: Program,
  { CI, REQUIRE_PROGRAMS }: NodeJS.ProcessEnv = process.env,
): boolean {
  if (existsSync(path)) return true;
  const missing = `${path} is missing: install the package "${debianPackage}".`;
  if ([CI, REQUIRE_PROGRAMS].some(isSet)) throw new Error(missing);
  console.warn(`SKIPPED: the tests with ${debianPackage}. ${missing}`);
  return false;
}

function isSet(variable: string | undefined): boolean {
  return !['', '0', 'false'].includes(variable ?? '');
}
