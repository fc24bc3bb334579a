import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { own } from '../../support/child-processes.js';
import { type MatrixClient, matrixClient } from './matrix-client.js';

const INSPECTOR = '@modelcontextprotocol/inspector@2.12.0';
/** The oldest Node that the Inspector supports. npm installs it for the Inspector only. */
const OLDEST_NODE = [22, 19] as const;
/** The exit code for an error result of a tool. */
const TOOL_ERROR = 5;

export type InspectorEra = 'legacy' | 'modern';

/** The MCP Inspector's CLI. Every command opens a connection for one request. */
export interface Inspector extends MatrixClient {
  listTools(): Promise<string[]>;
}

const toolsSchema = z.object({ tools: z.array(z.object({ name: z.string() })) });

export async function startInspector(mcp: string, era: InspectorEra): Promise<Inspector> {
  const folder = await mkdtemp(join(tmpdir(), 'inspector-'));
  const target = ['--server-url', mcp, '--transport', 'http', '--protocol-era', era];
  const request = (...method: string[]) => runInspector(folder, [...target, '--method', ...method]);
  return Object.assign(
    matrixClient(
      (call) =>
        request('tools/call', '--tool-name', call.name, '--tool-args-json', JSON.stringify(call.arguments)),
      () => rm(folder, { recursive: true }),
    ),
    {
      async listTools() {
        return toolsSchema.parse(await request('tools/list')).tools.map(({ name }) => name);
      },
    },
  );
}

/** Installs the Inspector, unless npm has cached it. */
export async function fetchInspector(): Promise<void> {
  await runNpm(['--help'], process.env);
}

const outputSchema = z.object({ result: z.unknown() });

/** @returns the result of one request */
async function runInspector(folder: string, request: readonly string[]): Promise<unknown> {
  const output = await runNpm(['--format', 'json', '--quiet', ...request], {
    ...process.env,
    MCP_STORAGE_DIR: folder,
    MCP_CATALOG_PATH: join(folder, 'catalog.json'),
    MCP_CLIENT_CONFIG_PATH: join(folder, 'client.json'),
  });
  return outputSchema.parse(JSON.parse(output)).result;
}

function runNpm(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env, shell: process.platform === 'win32' };
    const child = execFile(
      'npm',
      [...npmExec(), 'mcp-inspector', '--cli', ...args],
      options,
      (error, stdout, stderr) => {
        if (!error || error.code === TOOL_ERROR) resolve(stdout);
        else reject(new Error(`The Inspector failed: ${stderr || error.message}`));
      },
    );
    own(child);
  });
}

function npmExec(): string[] {
  const packages = [INSPECTOR];
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    const platform = process.platform === 'win32' ? 'win' : process.platform;
    packages.push(`node-${platform}-${process.arch}@24`);
  }
  return ['exec', '--yes', '--loglevel=error', ...packages.map((name) => `--package=${name}`), '--'];
}
