import { afterEach, describe, it } from 'vitest';
import { logIn } from '../../packages/sessions/src/testing/index.js';
import type { OpenAddress } from '../support/eliciting-clients.js';
import { type InMemoryClient, inMemory2025, inMemory2026 } from '../support/in-memory-client.js';
import {
  ERAS,
  type Era,
  isKept,
  named,
  startTranscribed,
  type TranscribedServer,
} from '../support/transcribed-server.js';
import { Transcript } from '../support/transcript.js';

let server: TranscribedServer;
afterEach(() => server.sessions.close());

/** A client on this machine that is asked to open addresses, which goes into the transcript. */
async function opening(era: Era, transcript: Transcript, answer: OpenAddress): Promise<InMemoryClient> {
  const open: OpenAddress = async ({ message, url }) => {
    transcript.note(`The client asks its user: ${message} ${url}`);
    return answer({ message, url });
  };
  return era === '2025' ? inMemory2025(server.here, open) : inMemory2026(server.here, open);
}

/** Waits for a call, and lets time pass until it is over. */
async function whileTimePasses<T>(calling: Promise<T>): Promise<T> {
  let isOver = false;
  void calling.finally(() => {
    isOver = true;
  });
  while (!isOver) await server.clock.advance(5000);
  return calling;
}

describe.each(ERAS)('what a model reads in the %s era, where its client can open addresses', (era) => {
  it.each(['accept', 'decline', 'cancel'] as const)('when the user says %s', async (action) => {
    server = startTranscribed();
    const transcript = new Transcript(`The client is asked to open the link: ${action}, ${era}`);
    const client = await opening(era, transcript, async ({ url }) => {
      transcript.note(`The user says ${action}.`);
      if (action !== 'accept') return action;
      await logIn(server.here, url, { provider: server.provider, user: 'alice' });
      transcript.note('The user opens the link and logs in as alice.');
      return action;
    });
    await transcript.call(client, 'login');
    await isKept(transcript, `elicitation-${action}-${era}`);
  });

  it('when the browser shows a code', async () => {
    server = startTranscribed();
    const transcript = new Transcript(`The client is asked to open the link, and a code is due, ${era}`);
    let code = '';
    const client = await opening(era, transcript, async ({ url }) => {
      code = await server.browse(url);
      transcript.note(`The user logs in as alice, on another machine. The browser shows ${code}.`);
      return 'accept';
    });
    const due = await transcript.call(client, 'login');
    await transcript.call(client, 'login', { ...named(due), code });
    await isKept(transcript, `elicitation-code-${era}`);
  });

  it('when the device flow is the only one', async () => {
    server = startTranscribed({ providers: [{ deviceFlow: 'only' }] });
    const transcript = new Transcript(`The client is asked to open the page for the code, ${era}`);
    const client = await opening(era, transcript, async () => {
      server.provider.approve('CODE-1', 'alice');
      transcript.note('The user types the code in, and approves.');
      return 'accept';
    });
    await whileTimePasses(transcript.call(client, 'login'));
    await isKept(transcript, `elicitation-device-${era}`);
  });

  it('when the user goes to the browser and does not come back', async () => {
    server = startTranscribed();
    const title = `The client is asked to open the link, and the user does not come back, ${era}`;
    const transcript = new Transcript(title);
    const client = await opening(era, transcript, async () => 'accept');
    const pending = await whileTimePasses(transcript.call(client, 'login'));
    transcript.note(`The call has waited for ${Math.round(server.clock.now() / 1000)} seconds.`);
    await transcript.call(client, 'session_status', named(pending));
    await isKept(transcript, `elicitation-no-answer-${era}`);
  });
});

/** A client that is asked to open addresses by an answer that it does not understand. */
function unaware(client: InMemoryClient): Pick<InMemoryClient, 'call'> {
  return {
    async call(tool, args = {}) {
      const result = await client.request('tools/call', { name: tool, arguments: args });
      const { isError, content, structuredContent: structured } = result;
      if (result.resultType === 'input_required')
        return { isError: true, text: 'expected CallToolResult', structured };
      return { isError, text: content.map(({ text }) => text ?? '').join('\n'), structured };
    },
  };
}

it('what a model reads where its client takes the question for a failure', async () => {
  server = startTranscribed();
  const transcript = new Transcript('The client does not understand that it is asked, 2026');
  const client = unaware(inMemory2026(server.here, async () => 'accept'));
  await transcript.call(client, 'list_notes');
  await transcript.call(client, 'list_notes');
  const started = await transcript.call(client, 'login');
  await logIn(server.here, started.loginUrl, { provider: server.provider, user: 'alice' });
  transcript.note('The user opens the link and logs in as alice.');
  const done = await transcript.call(client, 'login', named(started));
  await transcript.call(client, 'list_notes', named(done));
  await isKept(transcript, 'elicitation-not-understood-2026');
});

it.each(ERAS)('what a model reads where it asks for the link (%s)', async (era) => {
  server = startTranscribed();
  const transcript = new Transcript(`The model asks for the link, ${era}`);
  const client = await opening(era, transcript, async () => 'accept');
  const started = await transcript.call(client, 'login', { link: true });
  await transcript.call(client, 'login', named(started));
  await logIn(server.here, started.loginUrl, { provider: server.provider, user: 'alice' });
  transcript.note('The user opens the link and logs in as alice.');
  await transcript.call(client, 'login', named(started));
  await isKept(transcript, `elicitation-link-${era}`);
});

it('what a model reads where its client is a process for each call', async () => {
  server = startTranscribed();
  const transcript = new Transcript('A client that connects anew for every call, 2025');
  const info = { name: 'mcporter', version: '0.12.3' };
  await transcript.call(await inMemory2025(server.here, undefined, info), 'login');
  await transcript.call(await inMemory2025(server.here, undefined, info), 'login');
  await isKept(transcript, 'process-per-call-2025');
});

describe('what a model reads of a call that waits for a login', () => {
  it('when the user logs in', async () => {
    server = startTranscribed();
    const transcript = new Transcript('A call waits for a login');
    const client = await opening('2026', transcript, async ({ url }) => {
      await logIn(server.here, url, { provider: server.provider, user: 'alice' });
      transcript.note('The user opens the link and logs in as alice.');
      return 'accept';
    });
    await transcript.call(client, 'list_notes');
    await isKept(transcript, 'waiting-accept');
  });

  it.each(['decline', 'cancel'] as const)('when the user says %s', async (action) => {
    server = startTranscribed();
    const transcript = new Transcript(`A call waits for a login: ${action}`);
    const client = await opening('2026', transcript, async () => {
      transcript.note(`The user says ${action}.`);
      return action;
    });
    await transcript.call(client, 'list_notes');
    await isKept(transcript, `waiting-${action}`);
  });

  it('when the user comes back after the last round', async () => {
    server = startTranscribed();
    const transcript = new Transcript('A call waits for a login, and the user does not come back in time');
    let link = '';
    const client = await opening('2026', transcript, async ({ url }) => {
      link = url;
      return 'accept';
    });
    let text = '';
    const listening: Pick<InMemoryClient, 'call'> = {
      call: async (...called) => {
        const answer = await client.call(...called);
        ({ text } = answer);
        return answer;
      },
    };
    await whileTimePasses(transcript.call(listening, 'list_notes'));
    const session = /session: ([\w-]{43})/.exec(text)?.[1];
    await logIn(server.here, link, { provider: server.provider, user: 'alice' });
    transcript.note('The user opens the link after all, and logs in as alice.');
    const done = await transcript.call(client, 'login', { session });
    await transcript.call(client, 'list_notes', named(done));
    await isKept(transcript, 'waiting-no-answer');
  });
});
