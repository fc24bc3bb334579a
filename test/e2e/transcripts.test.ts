import { afterEach, describe, expect, it } from 'vitest';
import type { ProviderOptions } from '../../packages/sessions/src/index.js';
import {
  ERAS,
  isKept,
  named,
  press,
  startTranscribed,
  type TranscribedServer,
} from '../support/transcribed-server.js';
import { Transcript } from '../support/transcript.js';

const MINUTE_MS = 60_000;
let server: TranscribedServer;
afterEach(() => server.sessions.close());

function start(...providers: Partial<ProviderOptions>[]): TranscribedServer {
  server = startTranscribed(providers.length > 0 ? { providers } : {});
  return server;
}

describe.each(ERAS)('what a model reads in the %s era, where its client cannot open addresses', (era) => {
  it('when it gets to know the server', async () => {
    start();
    const transcript = new Transcript(`The tools, ${era}`);
    await transcript.introduce(await server.clientOf(era));
    await isKept(transcript, `tools-${era}`);
  });

  it('when a user logs in by link, mistypes the code, uses the login, and logs out', async () => {
    start();
    const transcript = new Transcript(`A login by link, ${era}`);
    const client = await server.clientOf(era);
    await transcript.call(client, 'list_notes');
    const started = await transcript.call(client, 'login');
    const { loginUrl } = started;
    transcript.note('The model calls again before the user has done anything.');
    await transcript.call(client, 'login', named(started));
    await transcript.call(client, 'session_status', named(started));
    const code = await server.browse(loginUrl);
    transcript.note(`The user opens the link and logs in as alice. The browser shows ${code}.`);
    await transcript.call(client, 'login', named(started));
    await transcript.call(client, 'session_status', named(started));
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

  it('when the provider rejects the refreshes of a login, and the user logs in again', async () => {
    const { clock, provider } = start();
    const transcript = new Transcript(`A login whose tokens are not renewed, ${era}`);
    const client = await server.clientOf(era);
    const started = await transcript.call(client, 'login');
    const code = await server.browse(started.loginUrl);
    transcript.note(`The user logs in. The browser shows ${code}.`);
    const login = named(await transcript.call(client, 'login', { ...named(started), code }));
    provider.failUntilMended('token', { status: 403, body: '{"error":"unauthorized_client"}' });
    await clock.advance(9 * MINUTE_MS);
    transcript.note('Nine minutes later, the provider rejects the refresh. The access token is still valid.');
    await transcript.call(client, 'session_status', login);
    await transcript.call(client, 'login', login);
    await clock.advance(2 * MINUTE_MS);
    transcript.note('Two minutes later, the access token has expired.');
    await transcript.call(client, 'list_notes', login);
    await transcript.call(client, 'session_status', login);
    const again = await transcript.call(client, 'login', login);
    provider.mend();
    const second = await server.browse(again.loginUrl);
    transcript.note(`The user logs in again. The browser shows ${second}.`);
    await transcript.call(client, 'login', { ...login, code: second });
    await transcript.call(client, 'login', { ...login, renew: true });
    transcript.note('The model has asked for another login. The one before it stays until then.');
    await transcript.call(client, 'session_status', login);
    await isKept(transcript, `renewal-${era}`);
  });

  it('when the user declines, the provider fails, or the user does not return', async () => {
    const { clock, provider } = start();
    const transcript = new Transcript(`Logins by link that fail, ${era}`);
    const client = await server.clientOf(era);
    const started = await transcript.call(client, 'login');
    await press('decline', server.sessions, started.loginUrl);
    transcript.note('The user opens the link, and declines there.');
    await transcript.call(client, 'login', named(started));
    transcript.note('The user says that this was a mistake.');
    const second = await transcript.call(client, 'login', named(started));
    provider.failNext('token', { status: 503 });
    await expect(server.browse(second.loginUrl)).rejects.toThrow(
      'The provider is overloaded or out of order.',
    );
    transcript.note('The user logs in, and the provider fails.');
    await transcript.call(client, 'login', named(started));
    await transcript.call(client, 'login', named(started));
    transcript.note('The provider shows an error on a page of its own. The user asks for a new link.');
    const again = await transcript.call(client, 'login', { ...named(started), restart: true });
    await clock.advance(601_000);
    transcript.note('The user closes the browser. Ten minutes pass.');
    await transcript.call(client, 'session_status', named(again));
    const third = await transcript.call(client, 'login', named(again));
    const renewed = await transcript.call(client, 'login', era === '2026' ? {} : named(third));
    const code = await server.browse(renewed.loginUrl);
    transcript.note(`The user logs in. The browser shows ${code}.`);
    for (let tries = 0; tries < 5; tries++)
      await transcript.call(client, 'login', { ...named(renewed), code: `WXYZ-000${tries}` });
    await isKept(transcript, `link-fails-${era}`);
  });

  it('when a user logs in by the device flow', async () => {
    const { clock, provider } = start({ deviceFlow: 'only' });
    const transcript = new Transcript(`A login by the device flow, ${era}`);
    const client = await server.clientOf(era);
    await transcript.list(client, 'login');
    const started = await transcript.call(client, 'login');
    transcript.note('The model calls again, and the user does nothing.');
    const waiting = transcript.call(client, 'login', named(started));
    await clock.advance(9000);
    await waiting;
    await transcript.call(client, 'session_status', named(started));
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
    const client = await server.clientOf(era);
    await transcript.list(client, 'login');
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
    start({ name: 'work', deviceFlow: 'allowed' }, { name: 'home' });
    const transcript = new Transcript(`Two providers, ${era}`);
    const client = await server.clientOf(era);
    await transcript.list(client, 'login');
    await transcript.call(client, 'login', { provider: 'elsewhere' });
    const first = await transcript.call(client, 'login');
    const code = await server.browse(first.loginUrl);
    transcript.note(`The user logs in as alice. The browser shows ${code}.`);
    const done = await transcript.call(client, 'login', { ...named(first), code });
    await transcript.call(client, 'login', { ...named(done), provider: 'home', flow: 'device' });
    const second = await transcript.call(client, 'login', { ...named(done), provider: 'home' });
    await transcript.call(client, 'session_status', named(done));
    const other = await server.browse(second.loginUrl, 'ally');
    transcript.note(`The user logs in as ally. The browser shows ${other}.`);
    await transcript.call(client, 'login', { ...named(done), provider: 'home', code: other });
    await transcript.call(client, 'session_status', named(done));
    await transcript.call(client, 'logout', { ...named(done), provider: 'home' });
    await transcript.call(client, 'session_status', named(done));
    await isKept(transcript, `two-providers-${era}`);
  });

  it('when the session is over, or there never was one', async () => {
    const { clock } = start();
    const transcript = new Transcript(`Sessions that are over, ${era}`);
    const client = await server.clientOf(era);
    await transcript.call(client, 'session_status');
    if (era === '2026') await transcript.call(client, 'list_notes', { session: 'a'.repeat(43) });
    const started = await transcript.call(client, 'login');
    if (era === '2026') await transcript.call(client, 'list_notes', named(started));
    const code = await server.browse(started.loginUrl);
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
