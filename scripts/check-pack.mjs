// Installs what `npm pack` makes of both packages into an empty project outside of the repository, and uses it there:
// as an ES module, with `require`, from TypeScript, bundled, and as a command. The program is the README's example.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { entriesOf } from './bundle.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const project = await mkdtemp(join(tmpdir(), 'mcp-sessions-pack-'));
const execute = promisify(execFile);
const run = (command, args, options = {}) => execute(command, args, { cwd: project, ...options });
const write = (path, text) => writeFile(join(project, path), text);
const install = (...packages) => run('npm', ['install', '--no-audit', '--no-fund', ...packages]);

/** The versions of @types/node that the declarations have to compile with. */
const NODE_TYPES = ['20', '22', '24', '25', '26'];
/** The folder of each package. */
const SOURCES = { 'mcp-sessions': 'packages/sessions', 'mcp-sessions-server': 'packages/server' };
const TOOLS = ['login', 'logout', 'next_event', 'session_status'];

const readme = await readFile(join(root, 'README.md'), 'utf8');
const [, printed] = /```ts\n([\s\S]*?)```/.exec(readme);
/** The README's example, on any free port. */
const example = printed.replace('port: 3000', 'port: 0');

const COMMONJS = `
const { createSessions } = require('mcp-sessions');
const { github } = require('mcp-sessions/providers');
const { VirtualClock } = require('mcp-sessions/testing');
if ([createSessions, github, VirtualClock].some((each) => typeof each !== 'function')) throw new Error('Exports are missing.');
`;
const COMMONJS_TYPES = `
import sessions = require('mcp-sessions');
import testing = require('mcp-sessions/testing');
export const options: Pick<sessions.SessionsOptions, 'runtime'> = { runtime: { clock: new testing.VirtualClock() } };
`;
const FAILING = `
import { createSessions } from 'mcp-sessions';
createSessions({});
`;
const CLIENT = `
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
const client = new Client({ name: 'check-pack', version: '1.0.0' });
await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2])));
const { tools } = await client.listTools();
const call = await client.callTool({ name: 'next_event', arguments: {} });
console.log(JSON.stringify({ tools: tools.map(({ name }) => name).sort(), call }));
await client.close();
`;

/** Starts the example, and asks it as a client does. */
async function useExample(file, cwd = project) {
  const server = spawn(process.execPath, [file], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    const lines = [];
    let url;
    for await (const line of createInterface({ input: server.stderr })) {
      lines.push(line);
      url = /^MCP endpoint: (.*)$/.exec(line)?.[1];
      if (url) break;
    }
    if (!url) throw new Error(`The example ended:\n${lines.join('\n')}`);
    const { tools, call } = JSON.parse((await run(process.execPath, ['client.mjs', url])).stdout);
    if (String(tools) !== String(TOOLS)) throw new Error(`The tools are ${tools}.`);
    if (!call.isError || !call.content[0].text.includes('`login`')) {
      throw new Error(`A call before the login is answered with ${JSON.stringify(call)}.`);
    }
  } finally {
    server.kill();
  }
}

async function checkContents() {
  for (const [name, source] of Object.entries(SOURCES)) {
    const folder = join(project, 'node_modules', name);
    const files = await readdir(folder, { recursive: true });
    for (const file of ['README.md', 'LICENSE']) {
      if (!files.includes(file)) throw new Error(`${name} has no ${file}.`);
    }
    const strays = files.filter((file) => file.endsWith('.tsbuildinfo') || file.includes('.test.'));
    const isSource = (module) => existsSync(join(root, source, 'src', `${module}.ts`));
    const entries = entriesOf(join(root, source));
    for (const file of files) {
      const [, module, ending] = /^dist[\\/](.*?)(\.d\.ts|\.js)$/.exec(file) ?? [];
      // Of a module that is not public, only the declarations are published.
      const isPublished = ending === '.js' ? !isSource(module) || entries.includes(module) : isSource(module);
      if (module && !isPublished) strays.push(file);
    }
    if (strays.length > 0) throw new Error(`${name} contains ${strays}.`);
    for (const map of files.filter((file) => file.endsWith('.js.map'))) {
      const { sourcesContent } = JSON.parse(await readFile(join(folder, map), 'utf8'));
      if (!sourcesContent?.every(Boolean)) throw new Error(`${map} of ${name} does not contain its sources.`);
    }
  }
}

async function checkSourceMaps() {
  const { stderr } = await run(process.execPath, ['--enable-source-maps', 'failing.mjs']).catch(
    (error) => error,
  );
  if (!/mcp-sessions\/src\/[\w/-]+\.ts:\d+/.test(stderr)) throw new Error(`A stack trace is:\n${stderr}`);
}

async function checkTypes(version) {
  await install(`@types/node@${version}`);
  const strict = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2023', '--types', 'node'];
  const tsc = (...args) => run('npx', ['--no-install', 'tsc', ...strict, ...args]);
  await tsc('--module', 'nodenext', 'calendar.ts', 'commonjs.cts');
  await tsc('--module', 'esnext', '--moduleResolution', 'bundler', 'calendar.ts');
}

/** A bundle has to run where no packages are installed. */
async function checkBundle() {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-sessions-bundle-'));
  try {
    const bundle = join(folder, 'calendar.mjs');
    const options = ['--bundle', '--platform=node', '--format=esm', `--outfile=${bundle}`];
    await run('npx', ['--no-install', 'esbuild', 'calendar.js', ...options]);
    await useExample(bundle, folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function checkCommand() {
  const { version } = JSON.parse(await readFile(join(root, 'packages/server/package.json'), 'utf8'));
  const { stdout } = await run('npx', ['--no-install', 'mcp-sessions-server', '--version']);
  if (!stdout.includes(version)) throw new Error(`It prints ${stdout}`);
}

const checks = {
  'README, licence and source maps with sources': checkContents,
  'the README example as an ES module': () => useExample('calendar.js'),
  'require in CommonJS': () => run(process.execPath, ['commonjs.cjs']),
  'stack traces that name TypeScript sources': checkSourceMaps,
  ...Object.fromEntries(
    NODE_TYPES.map((version) => [`strict TypeScript with @types/node ${version}`, () => checkTypes(version)]),
  ),
  'a bundle by esbuild': checkBundle,
  'the command mcp-sessions-server': checkCommand,
};

try {
  const packed = await run('npm', ['pack', '--json', '--workspaces', '--pack-destination', project], {
    cwd: root,
  });
  const archives = JSON.parse(packed.stdout).map(({ filename }) => `./${filename}`);
  await write('package.json', JSON.stringify({ private: true, type: 'module' }));
  await write('calendar.js', example);
  await write('calendar.ts', example);
  await write('commonjs.cjs', COMMONJS);
  await write('commonjs.cts', COMMONJS_TYPES);
  await write('failing.mjs', FAILING);
  await write('client.mjs', CLIENT);
  await install(...archives, '@modelcontextprotocol/client', 'typescript', 'esbuild');
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`✓ ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.error(`✗ ${name}\n${error.message}\n${error.stdout ?? ''}`);
    }
  }
} finally {
  await rm(project, { recursive: true });
}
