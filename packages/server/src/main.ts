#!/usr/bin/env node
import { inspect } from 'node:util';
import { SessionError } from 'mcp-sessions';
import { announcement, demoNotice } from './announcement.js';
import { packageVersion } from './backend.js';
import { checkProviders } from './check.js';
import { newMasterKey } from './cluster.js';
import { CHECK, parseCommand } from './command.js';
import { printedSettings } from './config-print.js';
import type { Configuration } from './configuration.js';
import { ConfigurationError } from './configuration-error.js';
import { endOnSignal } from './end-on-signal.js';
import { INIT, init } from './init/init.js';
import { serveStdio, startServer } from './server.js';
import { startFailure } from './start-failure.js';
import type { HttpTransport, StdioTransport } from './transport.js';
import { USAGE } from './usage.js';

async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  if (first === INIT) {
    const { stdin: input, stdout: output } = process;
    return init(rest, { input, output, isInteractive: input.isTTY && output.isTTY });
  }
  const command = parseCommand(process.argv.slice(2), process.env);
  switch (command.kind) {
    case 'help':
      process.stdout.write(USAGE);
      return;
    case 'version':
      process.stdout.write(`${packageVersion()}\n`);
      return;
    case 'keygen':
      process.stdout.write(`${newMasterKey()}\n`);
      return;
    case 'check': {
      const { columns } = process.stdout;
      const { text, exitCode } = await checkProviders(command.configuration, columns).catch(
        (error: unknown) => {
          throw startFailure(error, command.configuration);
        },
      );
      process.stdout.write(text);
      process.exitCode = exitCode;
      return;
    }
    case 'print':
      process.stdout.write(printedSettings(command.effective));
      return;
    case 'serve':
      await serve(command.configuration);
  }
}

async function serve(configuration: Configuration): Promise<void> {
  const { transport } = configuration;
  const serving =
    transport.kind === 'stdio'
      ? serveClient(configuration, transport)
      : serveNetwork(configuration, transport);
  await serving.catch((error: unknown) => {
    throw startFailure(error, configuration);
  });
}

async function serveClient(configuration: Configuration, transport: StdioTransport): Promise<void> {
  // A client that has disconnected does not read stderr either.
  process.stderr.on('error', () => undefined);
  const { upstream } = configuration;
  await serveStdio(configuration, transport, (name) => {
    process.stderr.write(
      `${name}: waiting for an MCP client on stdin. MCP clients start this command themselves; see --help.\n`,
    );
    if (upstream.kind === 'sample') process.stderr.write(`${demoNotice(upstream)}\n`);
  });
  // Idle connections of `fetch` would delay the exit by some seconds.
  process.exit(0);
}

async function serveNetwork(configuration: Configuration, transport: HttpTransport): Promise<void> {
  // A closed terminal must not interrupt the shutdown.
  process.stderr.on('error', () => undefined);
  const server = await startServer(configuration, transport);
  endOnSignal(server);
  if (transport.isJson) process.stdout.write(`${JSON.stringify(server.addresses)}\n`);
  process.stderr.write(announcement(server, configuration.upstream));
}

try {
  await main();
} catch (error) {
  // The messages of these errors say what to do. Any other error is a bug, and its stack helps to find it.
  const isExpected = error instanceof ConfigurationError || error instanceof SessionError;
  process.stderr.write(`${isExpected ? error.message : inspect(error)}\n`);
  // For `check`, 1 says that a check has failed.
  process.exit(process.argv[2] === CHECK ? 2 : 1);
}
