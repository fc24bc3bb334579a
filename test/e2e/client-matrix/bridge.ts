import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as sdk2 from '@modelcontextprotocol/client';
import * as sdk2Stdio from '@modelcontextprotocol/client/stdio';
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { ClientKind } from '../../support/mcp-clients.js';
import { type MatrixClient, matrixClient } from './matrix-client.js';

/** `mcp-remote` connects clients that only speak stdio to a server over HTTP. */
const BRIDGE = fileURLToPath(import.meta.resolve('mcp-remote/dist/proxy.js'));
const INFO = { name: 'bridged', version: '1.0.0' };

/** A client with its own bridge. */
export interface BridgedClient extends MatrixClient {
  /** The files in which the bridge stores its OAuth registration and tokens. */
  oauthFiles(): Promise<string[]>;
}

/** Connects a client over stdio to a bridge that the client starts, as desktop clients do. */
export async function connectBridged(
  kind: ClientKind,
  mcp: string,
  flags: readonly string[] = [],
): Promise<BridgedClient> {
  const home = await mkdtemp(join(tmpdir(), 'mcp-remote-'));
  const config = join(home, 'config');
  const client = await connectOverStdio(kind, {
    command: process.execPath,
    args: [BRIDGE, mcp, '--allow-http', ...flags],
    env: { HOME: home, MCP_REMOTE_CONFIG_DIR: config },
    // The bridge logs every message.
    stderr: 'ignore',
  });
  const close = async () => {
    await client.close();
    await rm(home, { recursive: true });
  };
  return Object.assign(
    matrixClient((call) => client.callTool(call), close),
    {
      async oauthFiles() {
        const entries = await readdir(config, { recursive: true, withFileTypes: true });
        return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
      },
    },
  );
}

interface StdioClient {
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

async function connectOverStdio(
  kind: ClientKind,
  bridge: sdk2Stdio.StdioServerParameters,
): Promise<StdioClient> {
  if (kind === 'SDK 1.x') {
    const client = new Sdk1Client(INFO);
    await client.connect(new Sdk1Transport(bridge));
    return client;
  }
  const client = new sdk2.Client(INFO, optionsOf(kind));
  await client.connect(new sdk2Stdio.StdioClientTransport(bridge));
  return client;
}

function optionsOf(kind: Exclude<ClientKind, 'SDK 1.x'>): sdk2.ClientOptions {
  switch (kind) {
    case 'SDK 2.x in 2025':
      return { supportedProtocolVersions: ['2025-11-25'] };
    case 'SDK 2.x auto':
      return { versionNegotiation: { mode: 'auto' } };
    case 'SDK 2.x pinned to 2026':
      return { versionNegotiation: { mode: { pin: '2026-07-28' } } };
  }
}
