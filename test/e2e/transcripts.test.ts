import { afterEach, describe, expect, it } from 'vitest';
import { createSessions, type ProviderOptions, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { type InMemoryClient, inMemory2025, inMemory2026 } from '../support/in-memory-client.js';
import { connect2025 } from '../support/raw-mcp.js';
import { startSecuredNotes } from '../support/secured-notes.js';
import { locationOf } from '../support/step-browser.js';
import { Transcript } from '../support/transcript.js';

const SERVER = { name: 'notes', version: '1.0.0' };
const MINUTE_MS = 60_000;
let sessions: Sessions;
afterEach(() => sessions.close());

/** A server without a network, whose clock stands still until it is told to go on. */
function start(change: Partial<ProviderOptions> = {}, others: readonly Partial<ProviderOptions>[] = []) {
  const clock = new VirtualClock();
  const provider = new FaultingProvider();
  const apiOrigins = ['https://api.test'];
  const all = [change, ...others].map((each) => ({ ...provider.options, apiOrigins, ...each }));
  sessions = createSessions({
    server: SERVER,
    publicUrl: 'http://127.0.0.1:3000',
    provider: all,
    apiOrigins: [],
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch, clock },
    tools: (server, current) => {
      server.registerTool('list_notes', { description: 'Lists the notes of the user.' }, async () => {
        const session = current.current();
        await session.fetch('https://api.test/notes');
        return { content: [{ type: 'text', text: '{"notes":[]}' }] };
      });
    },
  });
  return { clock, provider };
}

/** The user's browser follows a link as `user`. @returns the confirmation code that it shows */
async function browse(provider: FaultingProvider, loginUrl: unknown, user = 'alice') {
  const { code } = await logIn(sessions, String(loginUrl), provider, user);
  return code ?? '';
}

const ERAS = ['2025', '2026'] as const;
const clientOf = async (era: (typeof ERAS)[number]): Promise<InMemoryClient> =>
  era === '2025' ? inMemory2025(sessions) : inMemory2026(sessions);

/** The arguments that name a session, where there are handles. */
const named = ({ session }: Readonly<Record<string, unknown>>) => (session === undefined ? {} : { session });

const isKept = (transcript: Transcript, name: string) =>
  expect(transcript.toString()).toMatchFileSnapshot(`./transcripts/${name}.md`);

describe.each(ERAS)('what a model reads in the %s era, where its client cannot open addresses', (era) => {
  it('when it lists the tools', async () => {
    start();
    const transcript = new Transcript(`The tools, ${era}`);
    await transcript.list(await clientOf(era));
    await isKept(transcript, `tools-${era}`);
  });

  it('when a user logs in by link, mistypes the code, uses the login, and logs out', async () => {
    const { provider } = start();
    const transcript = new Transcript(`A login by link, ${era}`);
    const client = await clientOf(era);
    await transcript.call(client, 'list_notes');
    const started = await transcript.call(client, 'login');
    const { loginUrl } = started;
    transcript.note('The model calls again before the user has done anything.');
    await transcript.call(client, 'login', named(started));
    await transcript.call(client, 'session_status', named(started));
    const code = await browse(provider, loginUrl);
    transcript.note(`The user opens the link and logs in as alice. The browser shows ${code}.`);
    await transcript.call(client, 'login', named(started));
    await transcript.call(client, 'login', { ...named(started), code: 'WXYZ-1234' });
    const done = await transcript.call(client, 'login', { ...named(started), code });
    await transcript.call(client, 'login', named(done));
    await transcript.call(client, 'session_status', named(done));
    await transcript.call(client, 'list_notes', named(done));
    await transcript.call(client, 'logout', named(done));
    await transcript.call(client, 'session_status', named(done));
    await transcript.call(client, 'list_notes', named(done));
    await isKept(transcript, `link-${era}`);
  });

  it('when the user declines, the provider fails, or nobody comes back', async () => {
    const { clock, provider } = start();
    const transcript = new Transcript(`Logins by link that fail, ${era}`);
    const client = await clientOf(era);
    const started = await transcript.call(client, 'login');
    provider.failNext('token', { status: 503 });
    await browse(provider, started.loginUrl);
    transcript.note('The user logs in, and the provider fails.');
    await transcript.call(client, 'login', named(started));
    const again = await transcript.call(client, 'login', named(started));
    await clock.advance(601_000);
    transcript.note('The user closes the browser. Ten minutes pass.');
    await transcript.call(client, 'session_status', named(again));
    const third = await transcript.call(client, 'login', named(again));
    const renewed = await transcript.call(client, 'login', era === '2026' ? {} : named(third));
    const code = await browse(provider, renewed.loginUrl);
    transcript.note(`The user logs in. The browser shows ${code}.`);
    for (let tries = 0; tries < 5; tries++)
      await transcript.call(client, 'login', { ...named(renewed), code: `WXYZ-000${tries}` });
    await isKept(transcript, `link-fails-${era}`);
  });

  it('when a user logs in by the device flow', async () => {
    const { clock, provider } = start({ deviceFlow: 'only' });
    const transcript = new Transcript(`A login by the device flow, ${era}`);
    const client = await clientOf(era);
    await transcript.list(client);
    const started = await transcript.call(client, 'login');
    transcript.note('The model calls again, and the user does nothing.');
    const waiting = transcript.call(client, 'login', named(started));
    await clock.advance(9000);
    await waiting;
    await transcript.call(client, 'login', { ...named(started), code: String(started.userCode) });
    provider.approve(String(started.userCode), 'alice');
    transcript.note('The user types the code in, and approves.');
    const finishing = transcript.call(client, 'login', named(started));
    await clock.advance(9000);
    const done = await finishing;
    await transcript.call(client, 'session_status', named(done));
    await isKept(transcript, `device-${era}`);
  });

  it('when a login by the device flow is denied or expires', async () => {
    const { clock, provider } = start({ deviceFlow: 'allowed' });
    const transcript = new Transcript(`Logins by the device flow that fail, ${era}`);
    const client = await clientOf(era);
    await transcript.list(client);
    const link = await transcript.call(client, 'login');
    transcript.note('The user says that the link does not load.');
    const started = await transcript.call(client, 'login', { ...named(link), flow: 'device' });
    provider.deny(String(started.userCode));
    transcript.note('The user denies it.');
    const denied = transcript.call(client, 'login', named(started));
    await clock.advance(9000);
    await denied;
    const again = await transcript.call(client, 'login', { ...named(started), flow: 'device' });
    provider.expire(String(again.userCode));
    transcript.note('The code expires while the model waits.');
    const expired = transcript.call(client, 'login', named(again));
    await clock.advance(9000);
    await expired;
    await transcript.call(client, 'session_status', named(again));
    provider.failNext('device', { status: 503 });
    await transcript.call(client, 'login', { ...named(again), flow: 'device' });
    await isKept(transcript, `device-fails-${era}`);
  });

  it('when there are two providers', async () => {
    const work = { name: 'work' };
    const { provider } = start({ ...work, deviceFlow: 'allowed' }, [{ name: 'home' }]);
    const transcript = new Transcript(`Two providers, ${era}`);
    const client = await clientOf(era);
    await transcript.list(client);
    await transcript.call(client, 'login', { provider: 'elsewhere' });
    const first = await transcript.call(client, 'login');
    const code = await browse(provider, first.loginUrl);
    transcript.note(`The user logs in as alice. The browser shows ${code}.`);
    const done = await transcript.call(client, 'login', { ...named(first), code });
    await transcript.call(client, 'login', { ...named(done), provider: 'home', flow: 'device' });
    const second = await transcript.call(client, 'login', { ...named(done), provider: 'home' });
    await transcript.call(client, 'session_status', named(done));
    const other = await browse(provider, second.loginUrl, 'ally');
    transcript.note(`The user logs in as ally. The browser shows ${other}.`);
    await transcript.call(client, 'login', { ...named(done), provider: 'home', code: other });
    await transcript.call(client, 'session_status', named(done));
    await transcript.call(client, 'logout', { ...named(done), provider: 'home' });
    await transcript.call(client, 'session_status', named(done));
    await isKept(transcript, `two-providers-${era}`);
  });

  it('when the session is over, or there never was one', async () => {
    const { clock, provider } = start();
    const transcript = new Transcript(`Sessions that are over, ${era}`);
    const client = await clientOf(era);
    await transcript.call(client, 'session_status');
    if (era === '2026') await transcript.call(client, 'list_notes', { session: 'a'.repeat(43) });
    const started = await transcript.call(client, 'login');
    if (era === '2026') await transcript.call(client, 'list_notes', named(started));
    const code = await browse(provider, started.loginUrl);
    const done = await transcript.call(client, 'login', { ...named(started), code });
    if (era === '2026') await transcript.call(client, 'session_status', named(started));
    await clock.advance(31 * MINUTE_MS);
    transcript.note('Half an hour passes without a call.');
    await transcript.call(client, 'list_notes', named(done));
    await transcript.call(client, 'session_status', named(done));
    await transcript.call(client, 'login', named(done));
    await isKept(transcript, `over-${era}`);
  });
});

describe('what a model reads where its client can open addresses', () => {
  it.each(['accept', 'decline', 'cancel'] as const)('when the user says %s', async (action) => {
    const { clock, provider } = start();
    const transcript = new Transcript(`The client is asked to open the link: ${action}`);
    const client = inMemory2026(sessions, async ({ message, url }) => {
      transcript.note(`The client asks its user: ${message} ${url}`);
      transcript.note(`The user says ${action}.`);
      if (action === 'accept') transcript.note(`The browser shows ${await browse(provider, url)}.`);
      return action;
    });
    await transcript.call(client, 'login');
    await clock.advance(0);
    await isKept(transcript, `elicitation-${action}`);
  });

  it('when the user goes to the browser and does not come back', async () => {
    const { clock } = start();
    const transcript = new Transcript(
      'The client is asked to open the link, and the user does not come back',
    );
    const client = inMemory2026(sessions, async ({ message, url }) => {
      transcript.note(`The client asks its user: ${message} ${url}`);
      return 'accept';
    });
    const waiting = transcript.call(client, 'login');
    let isOver = false;
    void waiting.then(() => {
      isOver = true;
    });
    while (!isOver) await clock.advance(5000);
    const pending = await waiting;
    transcript.note(`The call has waited for ${Math.round(clock.now() / 1000)} seconds.`);
    await transcript.call(inMemory2026(sessions), 'session_status', named(pending));
    await isKept(transcript, 'elicitation-no-answer');
  });

  it('when the device flow is the only one', async () => {
    const { clock, provider } = start({ deviceFlow: 'only' });
    const transcript = new Transcript('The client is asked to open the page for the code');
    const client = inMemory2026(sessions, async ({ message, url }) => {
      transcript.note(`The client asks its user: ${message} ${url}`);
      provider.approve('CODE-1', 'alice');
      transcript.note('The user types the code in, and approves.');
      return 'accept';
    });
    const finishing = transcript.call(client, 'login');
    await clock.advance(9000);
    await finishing;
    await isKept(transcript, 'elicitation-device');
  });
});

it('what a model reads where clients bring access tokens of the provider that users log in to', async () => {
  const notes = await startSecuredNotes('same issuer');
  ({ sessions } = notes);
  const transcript = new Transcript('Bearer access, one issuer');
  const client = await connect2025(notes.mcp, await notes.wayOf('alice'));
  const finish = async (loginUrl: unknown, user: string) => {
    const browser = notes.browser();
    const callback = await browser.logInUntilCallback(String(loginUrl), user);
    const end = locationOf(await browser.request(callback), callback);
    transcript.note(`The user of a browser logs in as ${user}, and ends at ${end.pathname}.`);
  };
  const refused = await transcript.call(client, 'login');
  await finish(refused.loginUrl, 'mallory');
  await transcript.call(client, 'login');
  const started = await transcript.call(client, 'login');
  await finish(started.loginUrl, 'alice');
  await transcript.call(client, 'login');
  const other = await connect2025(notes.mcp, await notes.wayOf('alice'));
  transcript.note('Another client of the same user calls.');
  await transcript.call(other, 'whoami');
  await transcript.call(other, 'logout', { everywhere: true });
  transcript.note('The first client calls again.');
  await transcript.call(client, 'whoami');
  await isKept(transcript, 'bearer');
  await notes.close();
});
