import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { isInstalled, type Program } from '../support/installed-program.js';

const CHROMIUM: Program = { path: '/usr/bin/chromium', debianPackage: 'chromium' };

/** Whether the browser tests can run. @throws if they must not be skipped */
export function hasChromium(): boolean {
  return isInstalled(CHROMIUM);
}

/** A browser window that records its problems. */
export interface Window {
  readonly page: Page;
  /** Console errors and warnings, violations of the content security policy, failed requests. */
  readonly problems: string[];
  /** The host names of all requests. */
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
  // Names reserved for tests (RFC 6761).
  '--host-resolver-rules=MAP *.test 127.0.0.1',
];

/** Opens a window with an empty profile. */
export async function openWindow(): Promise<Window> {
  const profile = await mkdtemp(join(tmpdir(), 'login-test-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM.path,
    args: FLAGS,
    // A proxy in a test has a self-signed certificate.
    ignoreHTTPSErrors: true,
    timeout: 0,
  });
  // The time limit of the test applies.
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
