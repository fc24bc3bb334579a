import { rm } from 'node:fs/promises';
import { directCaller } from './direct-caller.js';
import { makeHome } from './home.js';
import type { Launch, Setup } from './host.js';
import { lastWords, runToEnd, startHost } from './host-process.js';
import type { Candidate } from './running-host.js';
import { writeFiles } from './stage.js';

/** A host without a model, whose commands each connect, do one thing and end. */
export interface OneShotHost {
  readonly name: string;
  readonly pin: string;
  readonly title: string;
  files?(setup: Setup): Record<string, string>;
  signIn?(setup: Setup): Launch;
  /** The command for one call, or for the list of tools. */
  run(setup: Setup, call?: { tool: string; args: Readonly<Record<string, unknown>> }): Launch;
  /** Parses the output of the command. */
  read(output: string): unknown;
}

/** A command that takes longer waits for a browser that does not return. */
const COMMAND_TIMEOUT_MS = 30_000;

export function oneShotHost(host: OneShotHost): Candidate {
  return {
    name: host.name,
    title: host.title,
    pin: host.pin,
    isOneShot: true,
    async settle(mcp, _access, user) {
      const setup: Setup = { ...(await makeHome(host.pin, await user.sitDown())), mcp, model: '' };
      await writeFiles(setup.home, host.files?.(setup) ?? {});
      let printed = '';
      const run = async (launch: Launch, timeoutMs: number) => {
        const running = startHost(launch, setup);
        const timeout = setTimeout(() => void running.stop(), timeoutMs);
        await running.ended;
        clearTimeout(timeout);
        printed += running.errors();
        if (running.isStopped()) throw new Error(`The command does not end: ${lastWords(running)}`);
        return host.read(running.printed() || running.errors());
      };
      return {
        async signIn() {
          if (host.signIn) await runToEnd(startHost(host.signIn(setup), setup));
        },
        start: () =>
          Promise.resolve({
            caller: directCaller({
              listTools: () => run(host.run(setup), COMMAND_TIMEOUT_MS),
              callTool: (tool, args) =>
                run(host.run(setup, { tool, args }), COMMAND_TIMEOUT_MS + 1000 * Number(args.seconds ?? 0)),
            }),
            output: () => printed,
            close: () => Promise.resolve(),
          }),
        remove: () => rm(setup.home, { recursive: true, force: true }),
      };
    },
  };
}
