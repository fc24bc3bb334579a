import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

/** Seen from `bench/dist/bench/report`. */
const BENCH = new URL('../../../', import.meta.url);
const ROOT = new URL('../', BENCH);
const GIB = 1024 ** 3;

const PEERS = [
  '@modelcontextprotocol/server',
  '@modelcontextprotocol/node',
  '@modelcontextprotocol/express',
  '@modelcontextprotocol/sdk',
  'fastmcp',
  'express',
  'autocannon',
];

function versionIn(folder: URL): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
  return `${version}`;
}

/** What a table of servers was measured with, for people who repeat it. */
export function describeMachine(flags: readonly string[]): string {
  const peers = PEERS.map((name) => `${name} ${versionIn(new URL(`node_modules/${name}/`, BENCH))}`);
  const used = flags.length > 0 ? `\`${flags.join(' ')}\`` : 'none: the default sizes of the heap';
  return `${describeProcess()}\nOthers: ${peers.join(', ')}. Flags of Node for all servers: ${used}.`;
}

/** What anything was measured with. */
export function describeProcess(): string {
  const [cpu] = cpus();
  const own = versionIn(new URL('packages/sessions/', ROOT));
  const sdk = versionIn(new URL('node_modules/@modelcontextprotocol/server/', ROOT));
  const memory = `${Math.round(totalmem() / GIB)} GiB`;
  return [
    `Node ${process.versions.node}, ${cpu?.model.trim()}, ${cpus().length} processors, ${memory}, ${process.platform}.`,
    `mcp-sessions ${own} with @modelcontextprotocol/server ${sdk}.`,
  ].join('\n');
}
