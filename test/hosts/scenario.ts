import { logIn } from './logging-in.js';
import type { RunningHost, SettledHost } from './running-host.js';
import { expectText, quoted } from './shown.js';
import type { Recorded } from './stage.js';
import { callFirst, keepNotes, listTools, logOut, survive, tryOther } from './steps.js';
import type { Trial } from './trial.js';
import { User } from './user.js';
import { wireEra, wireErrors } from './wire.js';

/** A host that takes longer is ended. */
const HOST_TIMEOUT_MS = 10 * 60 * 1000;
const ONE_SHOT = 'every command is a separate connection, and its login ends with it';

/**
 * Tries one host from its sign-in to a restart of the server.
 * @returns the transcript
 */
export async function tryHost(trial: Trial): Promise<string> {
  const { candidate, stage, access, report } = trial;
  const alice = new User('alice');
  const settled = await candidate.settle(stage.mcp, access, alice);
  let host: RunningHost | undefined;
  const timeout = setTimeout(() => void host?.close(), HOST_TIMEOUT_MS);
  try {
    host = await getIn(trial, settled);
    if (host) await converse(trial, host, settled, alice);
    const recorded = await stage.recorded();
    report.era = wireEra(recorded);
    return transcript(host, recorded);
  } finally {
    clearTimeout(timeout);
    await host?.close();
    await settled.remove();
    alice.close();
  }
}

/** @returns the host, if it runs */
async function getIn({ access, report }: Trial, settled: SettledHost): Promise<RunningHost | undefined> {
  if (access === 'bearer' && !(await report.step('signs in', () => settled.signIn()))) return undefined;
  let host: RunningHost | undefined;
  const isReady = await report.step('lists tools', async () => {
    host = await settled.start();
    await listTools(host.caller);
  });
  if (!isReady) await host?.close();
  return isReady ? host : undefined;
}

async function converse(trial: Trial, host: RunningHost, settled: SettledHost, alice: User): Promise<void> {
  const { candidate, report, stage, longSeconds } = trial;
  const { caller } = host;
  await report.step('call before login', () => callFirst(caller, alice));
  if (!(await logIn(report, caller, alice))) {
    if (candidate.isOneShot) report.explain('logged in', ONE_SHOT);
    return;
  }
  await report.step("user's data", () => keepNotes(caller, 'alice'));
  await report.step('two users', () => tryOther(trial, caller));
  const printed = host.output();
  await report.step('long call', async () => {
    expectText(await caller.call('wait', { seconds: longSeconds }), 'Waited');
  });
  const recorded = await stage.recorded();
  await report.step('quiet', async () => {
    const problems = [...wireErrors(recorded), ...printedErrors(printed)];
    if (problems.length > 0) throw new Error(problems.join('; '));
  });
  await report.step('logout', () => logOut(caller, alice));
  await report.step('restart', () => survive(trial, settled, host, alice));
  await caller.finish().catch(() => undefined);
}

function printedErrors(output: string): string[] {
  const lines = output
    .split('\n')
    .filter((line) => /\berror\b|exception|unhandled/i.test(line) && !isToolError(line));
  return lines.slice(0, 1).map((line) => `prints ${quoted(line)}${lines.length > 1 ? ' and more' : ''}`);
}

/** Some hosts print the error of a tool that requires a login. The host itself works. */
function isToolError(line: string): boolean {
  return /tool_is_error|reported an error|No user is logged in|need a login/.test(line);
}

const MAX_SHOWN = 400;

function transcript(host: RunningHost | undefined, recorded: readonly Recorded[]): string {
  const read = host?.caller.exchanges.map(
    ({ tool, args, shown }) => `${tool} ${JSON.stringify(args)}\n  ${shown}`,
  );
  const wire = recorded.map(({ method, path, body, status, answer }) =>
    [method, path, body.slice(0, MAX_SHOWN), '=>', status, answer.slice(0, MAX_SHOWN)].join(' '),
  );
  return [...(read ?? []), ...wire, host?.output()].join('\n');
}
