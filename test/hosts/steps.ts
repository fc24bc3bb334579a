import type { Caller } from './caller.js';
import { logIn, logInAgain } from './logging-in.js';
import { Report } from './report.js';
import type { RunningHost, SettledHost } from './running-host.js';
import { expectNoText, expectText, isDump, quoted } from './shown.js';
import type { Trial } from './trial.js';
import { User } from './user.js';

const TOOLS = ['login', 'session_status', 'logout', 'whoami', 'list_notes', 'add_note', 'wait'];

/** All of the tools are offered. */
export async function listTools(caller: Caller): Promise<void> {
  const offered = await caller.opened();
  const missing = TOOLS.filter((tool) => !offered.some((name) => name.endsWith(tool)));
  if (missing.length > 0) throw new Error(`the model is not offered ${missing.join(', ')}`);
}

/** A call that requires a login, made without one: it waits for the user, or says what to do. */
export async function callFirst(caller: Caller, user: User): Promise<string | undefined> {
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

/** A user adds a note and reads it. */
export async function keepNotes(caller: Caller, name: string): Promise<void> {
  await caller.call('add_note', { text: `a note of ${name}` });
  expectText(await caller.call('list_notes'), `a note of ${name}`);
}

/** A second user with a second host, at the same time. */
export async function tryOther({ candidate, stage, access, report }: Trial, caller: Caller): Promise<void> {
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
  } finally {
    await other?.close();
    await settled.remove();
    bob.close();
  }
}

/** After a restart of the server, which loses its sessions: what the model reads, and whether a new login works. */
export async function survive(
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
    const then = messageOf(error);
    const same = then.replaceAll("'login'", "'whoami'").replaceAll('"login"', '"whoami"').includes(told);
    throw new Error(`the model reads ${told}, then ${same ? 'the same from `login`' : then}${next}`);
  }
}

/** After a logout no user is logged in, and a new login works. */
export async function logOut(caller: Caller, user: User): Promise<void> {
  await caller.call('logout');
  const shown = await caller.call('session_status');
  expectText(shown, 'login');
  expectNoText(shown, user.name);
  await logInAgain(caller, user);
  expectText(await caller.call('list_notes'), `a note of ${user.name}`);
}

/** The user ends the host, signs in again and starts it. */
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
