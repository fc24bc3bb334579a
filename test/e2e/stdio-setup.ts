import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, onTestFinished } from 'vitest';
import { Browser } from '../support/browser.js';
import {
  type IdentityProviderProcess,
  type IdentityProviderProcessOptions,
  startIdentityProviderProcess,
} from '../support/identity-provider-process.js';
import type { ClientKind } from '../support/mcp-clients.js';
import { connectStdio, type StdioClient, type StdioClientOptions } from './stdio-clients.js';
import { type StdioOptions, type StdioProcess, startStdio } from './stdio-process.js';

/** The identity provider and the folder that the tests of a file share. */
export interface StdioSetup {
  readonly provider: IdentityProviderProcess;
  readonly folder: string;
  /** Starts a server, which ends with the test. */
  start(options: StdioOptions): Promise<StdioProcess>;
  /** Starts a client that starts a server. Both end with the test. */
  connect(kind: ClientKind, options: StdioClientOptions): Promise<StdioClient>;
}

export function setUpStdio(): StdioSetup {
  let provider: IdentityProviderProcess;
  let folder: string;
  const closing = new Set<() => Promise<unknown>>();
  beforeAll(async () => {
    provider = await startIdentityProviderProcess();
    folder = await mkdtemp(join(tmpdir(), 'stdio-'));
  });
  afterAll(async () => {
    await provider.stop();
    await rm(folder, { recursive: true });
  });
  afterEach(async () => {
    await Promise.all([...closing].map((close) => close()));
    closing.clear();
  });
  return {
    get provider() {
      return provider;
    },
    get folder() {
      return folder;
    },
    async start(options) {
      const server = await startStdio(options);
      closing.add(() => server.stop());
      return server;
    },
    async connect(kind, options) {
      const client = await connectStdio(kind, options);
      closing.add(() => client.close());
      return client;
    },
  };
}

/** The options of a server with a provider. */
export function inFrontOf({ toolFlags, serverEnvironment }: IdentityProviderProcess, environment = {}) {
  return { flags: toolFlags, environment: { ...serverEnvironment, ...environment } };
}

export async function ownProvider(
  options: IdentityProviderProcessOptions = {},
): Promise<IdentityProviderProcess> {
  const own = await startIdentityProviderProcess(options);
  onTestFinished(() => own.stop());
  return own;
}

/** Logs in with a hand-written client. */
export async function logIn(server: StdioProcess, username: string): Promise<void> {
  const { structured } = await server.call('login');
  await new Browser().logIn(String(structured.loginUrl), username);
  const completed = await server.call('login');
  expect(completed.structured).toMatchObject({ status: 'authenticated', account: { subject: username } });
}

export async function add(client: Pick<StdioClient, 'call'>, text: string): Promise<unknown> {
  const { structured } = await client.call('add_note', { text });
  return structured;
}
