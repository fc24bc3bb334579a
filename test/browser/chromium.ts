import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';

/** Where Debian's package `chromium` puts it. */
const CHROMIUM_PATH = '/usr/bin/chromium';

/**
 * Says so when it is not installed, so that nobody takes a skipped test for a passed one.
 * @throws where tests must not be skipped: `CI` or `REQUIRE_BROWSER` is set
 */
export function hasChromium(
  path: string = CHROMIUM_PATH,
  { CI, REQUIRE_BROWSER }: NodeJS.ProcessEnv = process.env,
): boolean {
  if (existsSync(path)) return true;
  const missing = `There is no ${path}: install the package "chromium".`;
  if ([CI, REQUIRE_BROWSER].some(isSet)) throw new Error(missing);
  console.warn(`SKIPPED: the browser tests. ${missing}`);
  return false;
}

function isSet(variable: string | undefined): boolean {
  return !['', '0', 'false'].includes(variable ?? '');
}

/** A browser window that notes what goes wrong in it. */
export interface Window {
  readonly page: Page;
  /** Console errors and warnings, violations of the content security policy, failed requests. */
  readonly problems: string[];
  /** The host names that were asked for anything. */
  readonly hosts: Set<string>;
  close(): Promise<void>;
}

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Names that exist in tests only (RFC 6761).
  '--host-resolver-rules=MAP *.test 127.0.0.1',
];

/** Opens a window with an empty profile. */
export async function openWindow(): Promise<Window> {
  const profile = await mkdtemp(join(tmpdir(), 'login-test-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM_PATH,
    args: FLAGS,
    // A proxy in a test has made its certificate itself.
    ignoreHTTPSErrors: true,
    timeout: 0,
  });
  // What hangs is ended by the test's own limit.
  context.setDefaultTimeout(0);
  const problems: string[] = [];
  const hosts = new Set<string>();
  await watch(context, problems, hosts);
  return {
    page: context.pages()[0] ?? (await context.newPage()),
    problems,
    hosts,
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

async function watch(context: BrowserContext, problems: string[], hosts: Set<string>): Promise<void> {
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  context.on('weberror', (error) => problems.push(`script: ${error.error().message}`));
  context.on('request', (request) => hosts.add(new URL(request.url()).hostname));
  context.on('requestfailed', (request) => problems.push(`request: ${request.failure()?.errorText}`));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`${event.effectiveDirective} forbids ${event.blockedURI}`);
    });
  });
}
