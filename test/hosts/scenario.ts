import type { Caller } from './caller.js';
import { quoted, Report } from './report.js';
import type { Candidate, RunningHost, SettledHost } from './running-host.js';
import type { Access, Recorded, Stage } from './stage.js';
import { User } from './user.js';
import { wireEra, wireErrors } from './wire.js';

export interface Trial {
  readonly candidate: Candidate;
  readonly stage: Stage;
  readonly access: Access;
  readonly report: Report;
  /** How long the long call takes. */
  readonly longSeconds: number;
}

const TOOLS = ['login', 'session_status', 'logout', 'whoami', 'list_notes', 'add_note', 'wait'];
const LINK = /https?:\/\/127\.0\.0\.1:\d+\/connect\/[\w-]+/;
const MAX_LOGINS = 3;
/** A host that is not through by then is ended. */
const PATIENCE_MS = 10 * 60 * 1000;

/**
 * Tries one host from its sign-in to a restart of the server.
 * @returns all that was said, for whoever wants to know more than the report
 */
export async function tryHost(trial: Trial): Promise<string> {
  const { candidate, stage, report } = trial;
  const alice = new User('alice');
  const settled = await candidate.settle(stage.mcp, trial.access, alice);
  let host: RunningHost | undefined;
  const patience = setTimeout(() => void host?.close(), PATIENCE_MS);
  try {
    const isReady = await signIn(trial, settled);
    if (
      isReady &&
      (await report.step('lists tools', async () => listTools((host = await settled.start()).caller)))
    ) {
      if (host) await converse(trial, host, settled, alice);
    }
    const recorded = await stage.recorded();
    report.era = wireEra(recorded);
    return transcript(host, recorded);
  } finally {
    clearTimeout(patience);
    await host?.close();
    await settled.remove();
    alice.close();
  }
}

async function signIn({ access, candidate, report }: Trial, settled: SettledHost): Promise<boolean> {
  if (access === 'open') return true;
  return report.step('signs in', async () => {
    if (candidate.noSignIn !== undefined) throw new Error(candidate.noSignIn);
    await settled.signIn();
    return undefined;
  });
}

async function converse(trial: Trial, host: RunningHost, settled: SettledHost, alice: User): Promise<void> {
  const { report, stage, longSeconds } = trial;
  const { caller } = host;
  await report.step('call before login', () => callFirst(caller, alice));
  if (!(await logIn(report, caller, alice))) return;
  await report.step("user's data", () => keepNotes(caller, 'alice'));
  await report.step('two users', () => tryOther(trial, caller));
  await report.step('long call', async () => {
    const shown = await caller.call('wait', { seconds: longSeconds });
    expectText(shown, 'Waited');
    return undefined;
  });
  const before = await stage.recorded();
  const outputBefore = host.output();
  await report.step('quiet', async () => {
    const problems = [...wireErrors(before), ...printedErrors(outputBefore)];
    if (problems.length > 0) throw new Error(problems.join('; '));
    return undefined;
  });
  await report.step('logout', () => logOut(caller, alice));
  await report.step('restart', () => survive(trial, settled, host, alice));
  await caller.finish().catch(() => undefined);
}

async function listTools(caller: Caller): Promise<undefined> {
  const offered = await caller.opened();
  const missing = TOOLS.filter((tool) => !offered.some((name) => name.endsWith(tool)));
  if (missing.length > 0) throw new Error(`the model is not offered ${missing.join(', ')}`);
  return undefined;
}

/** A call that needs a login, made without one: it waits for its user, or says what to do. */
async function callFirst(caller: Caller, user: User): Promise<string | undefined> {
  const shown = await caller.call('whoami');
  if (!shown.includes(user.name)) {
    if (isDump(shown)) throw new Error(`the model reads ${quoted(shown)}`);
    expectText(shown, 'login');
    return undefined;
  }
  expectText(await caller.call('list_notes'), '"notes"');
  await caller.call('logout');
  return 'the call waits for its user, and the next one needs no further login';
}

async function logIn(report: Report, caller: Caller, user: User): Promise<boolean> {
  let last = '';
  let openedByHost = false;
  const hasLink = await report.step('login link', async () => {
    const reads: string[] = [];
    for (let calls = 1; calls <= MAX_LOGINS; calls++) {
      last = await caller.call('login', calls === MAX_LOGINS ? { link: true } : {});
      openedByHost = isLoggedIn(last, user);
      if (openedByHost) return 'the host asks its user and opens the link';
      if (linkIn(last))
        return calls === 1 ? undefined : `on call ${calls}; before, the model reads ${reads.join(', ')}`;
      reads.push(quoted(last));
    }
    throw new Error(`no link; the model reads ${reads.join(', ')}`);
  });
  if (!hasLink) return false;
  return report.step('logged in', async () => {
    if (openedByHost) return undefined;
    await user.follow(linkIn(last) ?? '');
    const shown = await caller.call('login');
    if (!isLoggedIn(shown, user)) throw new Error(`after the sign-in the model reads ${quoted(shown)}`);
    return undefined;
  });
}

function linkIn(text: string): string | undefined {
  return isDump(text) ? undefined : LINK.exec(text)?.[0];
}

/** Whether a host shows its model a message of the protocol that it did not understand itself. */
function isDump(text: string): boolean {
  return text.includes('input_required');
}

function isLoggedIn(text: string, { name }: User): boolean {
  return text.includes(name) && text.includes('authenticated');
}

async function keepNotes(caller: Caller, name: string): Promise<undefined> {
  await caller.call('add_note', { text: `a note of ${name}` });
  expectText(await caller.call('list_notes'), `a note of ${name}`);
  return undefined;
}

/** A second user with a host of their own, at the same time. */
async function tryOther({ candidate, stage, access, report }: Trial, caller: Caller): Promise<undefined> {
  const bob = new User('bob');
  const settled = await candidate.settle(stage.mcp, access, bob);
  let other: RunningHost | undefined;
  try {
    if (access === 'bearer') await settled.signIn();
    other = await settled.start();
    await other.caller.opened();
    const unseen = new Report(report.title, report.version);
    if (!(await logIn(unseen, other.caller, bob))) throw new Error('the second user cannot log in');
    await keepNotes(other.caller, 'bob');
    expectNoText(await other.caller.call('list_notes'), 'a note of alice');
    expectNoText(await caller.call('list_notes'), 'a note of bob');
    expectText(await caller.call('whoami'), 'alice');
    await other.caller.call('logout');
    expectText(await caller.call('whoami'), 'alice');
    await other.caller.finish();
    return undefined;
  } finally {
    await other?.close();
    await settled.remove();
    bob.close();
  }
}

/** The server has forgotten everybody: what the model is told then, and whether it gets in again. */
async function survive(
  trial: Trial,
  settled: SettledHost,
  { caller }: RunningHost,
  user: User,
): Promise<string> {
  await trial.stage.restart();
  const told = quoted(await caller.call('whoami'));
  try {
    await logInAgain(caller, user);
    return `the model reads ${told}, then \`login\` works`;
  } catch (error) {
    const next = trial.access === 'bearer' ? await startAnew(settled, user) : '';
    throw new Error(`the model reads ${told}, then ${messageOf(error)}${next}`);
  }
}

async function logInAgain(caller: Caller, user: User): Promise<void> {
  for (let calls = 1; calls <= MAX_LOGINS; calls++) {
    const shown = await caller.call('login');
    if (isLoggedIn(shown, user)) return;
    const link = linkIn(shown);
    if (link) await user.follow(link);
    else if (calls === MAX_LOGINS) throw new Error(`\`login\` says ${quoted(shown)}`);
  }
}

/** What its user does: ends the host, signs in again and starts it. */
async function startAnew(settled: SettledHost, user: User): Promise<string> {
  let host: RunningHost | undefined;
  try {
    await settled.signIn();
    host = await settled.start();
    await listTools(host.caller);
    await logInAgain(host.caller, user);
    return '; a new sign-in and start work';
  } catch (error) {
    return `; a new sign-in and start fail, too: ${messageOf(error)}`;
  } finally {
    await host?.close();
  }
}

async function logOut(caller: Caller, user: User): Promise<undefined> {
  await caller.call('logout');
  const shown = await caller.call('session_status');
  expectText(shown, 'login');
  expectNoText(shown, user.name);
  await logInAgain(caller, user);
  expectText(await caller.call('list_notes'), `a note of ${user.name}`);
  return undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function printedErrors(output: string): string[] {
  const lines = output
    .split('\n')
    .filter((line) => /\berror\b|exception|unhandled/i.test(line) && !isToolError(line));
  return lines.length === 0 ? [] : [`prints ${lines.length} lines such as ${quoted(lines[0] ?? '')}`];
}

/** Some hosts print it when a tool says that a login is needed, which is no error of theirs. */
function isToolError(line: string): boolean {
  return line.includes('tool_is_error');
}

function expectText(shown: string, expected: string): void {
  if (!shown.includes(expected)) throw new Error(`the model reads ${quoted(shown)}`);
}

function expectNoText(shown: string, secret: string): void {
  if (shown.includes(secret)) throw new Error(`LEAK: the model reads ${quoted(shown)}`);
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
