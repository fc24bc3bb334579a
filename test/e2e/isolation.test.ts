import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { createLatch, type Latch } from '../support/latch.js';
import { grantsOf } from '../support/proxied-identity-provider.js';
import {
  call2025,
  client2026,
  connect2025,
  JSON_HEADERS,
  logIn,
  messageOf,
  type RawClient,
  request2026,
  send,
  startLogin,
} from '../support/raw-mcp.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';

const TOOLS = ['whoami', 'list_notes', 'add_note', 'login', 'logout', 'session_status'];
const HANDLE_META_KEY = 'dev.mcp-sessions/session';
const FORWARDED = { 'x-forwarded-for': '203.0.113.7' };

let notes: InProcessNotes;
const slow = { started: createLatch(), released: createLatch() };

beforeAll(async () => {
  notes = await startInProcessNotes({
    // Some clients use a proxy.
    access: 'open-to-network',
    tools: (server, context) => {
      server.registerTool('slow', { description: 'Waits until it is released.' }, async () => {
        slow.started.open();
        await slow.released.opened;
        return { content: [{ type: 'text', text: 'released' }] };
      });
      const readMe = async () => (await context.session().fetch(new URL('/me', notes.api.origin))).text();
      server.registerResource('me', 'test://me', { description: 'Who is logged in.' }, async ({ href }) => ({
        contents: [{ uri: href, text: await readMe() }],
      }));
      server.registerPrompt('me', { description: 'Who is logged in.' }, async () => ({
        messages: [{ role: 'user', content: { type: 'text', text: await readMe() } }],
      }));
    },
  });
});

afterAll(() => notes.close());

const clients = {
  '2025': (): Promise<RawClient> => connect2025(notes.mcp),
  '2026': async (): Promise<RawClient> => client2026(notes.mcp),
};
const eras = ['2025', '2026'] as const;
const pairs = eras.flatMap((of) => eras.map((by) => ({ of, by })));

/** All responses that a client gets when it calls every tool. */
async function everythingSeenBy(client: RawClient): Promise<string> {
  const seen: unknown[] = [];
  for (const tool of TOOLS) seen.push(await client.call(tool, tool === 'add_note' ? { text: 'mine' } : {}));
  return JSON.stringify(seen);
}

let users = 0;
/** A unique user name that a test can search for in every response. */
const newUser = () => `user-${++users}-canary`;

describe.each(pairs)('with a $of session with a login, and a $by client', ({ of, by }) => {
  async function victim() {
    const name = newUser();
    const client = await logIn(await clients[of](), new Browser(), name);
    const note = `note of ${name}`;
    await client.call('add_note', { text: note });
    return { client, name, note };
  }

  it.each(['logged in as another user', 'not logged in'])(
    'that is %s gets no data of it from any tool',
    async (state) => {
      const { client, name, note } = await victim();
      const other = await clients[by]();
      if (state === 'logged in as another user') await logIn(other, new Browser(), newUser());
      const seen = await everythingSeenBy(other);
      for (const secret of [name, note, client.secret, ...notes.provider.issuedTokens]) {
        expect(seen).not.toContain(secret);
      }
      expect((await client.call('list_notes')).structured.notes).toMatchObject([{ text: note }]);
    },
  );

  it('does not end it with its own logout', async () => {
    const { client, name } = await victim();
    const other = await logIn(await clients[by](), new Browser(), newUser());
    await other.call('logout');
    expect((await client.call('whoami')).structured).toMatchObject({ subject: name });
  });

  it('logged in as the same user has another session, which survives the logout', async () => {
    const { client, name } = await victim();
    const other = await logIn(await clients[by](), new Browser(), name);
    await client.call('logout');
    expect((await other.call('whoami')).structured).toMatchObject({ subject: name });
    expect(await client.call('whoami')).toMatchObject({ isError: true });
  });
});

describe('ids of the two eras', () => {
  it('[security 54] do not accept a 2025 session id as a 2026 handle', async () => {
    const connection = await logIn(await connect2025(notes.mcp), new Browser(), newUser());
    const thief = client2026(notes.mcp, connection.secret);
    for (const tool of TOOLS) {
      const answer = await thief.call(tool, tool === 'add_note' ? { text: 'stolen' } : {});
      expect(answer).toMatchObject({
        isError: true,
        text: expect.stringMatching(/no session has this handle/i),
      });
    }
  });

  it('[security 54] do not accept a 2026 handle as a 2025 session id, for any method', async () => {
    const { secret } = await logIn(client2026(notes.mcp), new Browser(), newUser());
    const headers = { ...JSON_HEADERS, 'mcp-session-id': secret };
    for (const method of ['POST', 'GET', 'DELETE']) {
      const body = method === 'POST' ? { body: call2025('whoami') } : {};
      expect((await send(notes.mcp, { method, headers, ...body })).status).toBe(404);
    }
    expect(await client2026(notes.mcp, secret).call('whoami')).toMatchObject({ isError: false });
  });

  it('[security 54] do not name the session of a 2026 request with a 2025 session id', async () => {
    const name = newUser();
    const { secret } = await logIn(await connect2025(notes.mcp), new Browser(), name);
    const request = request2026('tools/call', { name: 'whoami', arguments: {} });
    const answer = await send(notes.mcp, {
      ...request,
      headers: { ...request.headers, 'mcp-session-id': secret },
    });
    expect(answer.headers).not.toHaveProperty('mcp-session-id');
    expect(messageOf(answer).result).toMatchObject({ isError: true });
    expect(answer.text).not.toContain(name);
  });
});

describe('a pending login', () => {
  const thefts = {
    'the cookies of another login': () => undefined,
    // The wrong value has the name of the right cookie.
    'another login’s cookie': (thief: StepBrowser, victim: StepBrowser) => {
      const [rightName] = victim.cookies.keys();
      const [wrongValue] = thief.cookies.values();
      thief.cookies.set(rightName!, wrongValue!);
    },
  };

  it.each(Object.entries(thefts))(
    '[security 11] cannot be completed with %s, and the code is not redeemed',
    async (_, prepare) => {
      const [alice, bob] = [await connect2025(notes.mcp), await connect2025(notes.mcp)];
      const [aliceBrowser, bobBrowser] = [new StepBrowser(), new StepBrowser()];
      const aliceCallback = await aliceBrowser.logInUntilCallback(await startLogin(alice), newUser());
      await bobBrowser.consent(await startLogin(bob));
      const redeemed = grantsOf(notes.provider, 'authorization_code').length;
      prepare(bobBrowser, aliceBrowser);
      expect((await bobBrowser.request(aliceCallback)).status).toBe(400);
      expect(grantsOf(notes.provider, 'authorization_code')).toHaveLength(redeemed);
      for (const client of [alice, bob]) expect(await client.call('whoami')).toMatchObject({ isError: true });
    },
  );

  it('completes in the session that started it, not in one that asks about it', async () => {
    const [alice, bob] = [client2026(notes.mcp), client2026(notes.mcp)];
    const name = newUser();
    const link = await startLogin(alice);
    await startLogin(bob);
    await new Browser().logIn(link, name);
    expect((await bob.call('login')).structured).toMatchObject({ status: 'pending' });
    expect((await alice.call('login')).structured).toMatchObject({ account: { subject: name } });
  });

  it.each(eras)('of %s completes in its own session when two run in two browsers', async (era) => {
    const sessions = await Promise.all(
      [newUser(), newUser()].map(async (name) => ({
        name,
        client: await clients[era](),
        browser: new StepBrowser(),
      })),
    );
    const callbacks: { browser: StepBrowser; callback: URL }[] = [];
    for (const { client, browser, name } of sessions) {
      callbacks.push({
        browser,
        callback: await browser.logInUntilCallback(await startLogin(client), name),
      });
    }
    const answers = await Promise.all(callbacks.map(({ browser, callback }) => browser.request(callback)));
    expect(answers.map((answer) => locationOf(answer, notes.mcp).pathname)).toEqual([
      '/login/done',
      '/login/done',
    ]);
    for (const { client, name } of sessions) {
      expect((await client.call('login')).structured).toMatchObject({ account: { subject: name } });
      expect((await client.call('whoami')).structured).toMatchObject({ subject: name });
    }
  });

  it.each(eras)('of %s completes in its own session when two run in one browser', async (era) => {
    const browser = new StepBrowser();
    const [first, second] = [await clients[era](), await clients[era]()];
    const [firstName, secondName] = [newUser(), newUser()];
    const firstAtProvider = await browser.consent(await startLogin(first));
    const secondAtProvider = await browser.consent(await startLogin(second));
    const secondCallback = await browser.authorize(secondAtProvider, { username: secondName });
    const firstCallback = await browser.authorize(firstAtProvider, { username: firstName });
    for (const callback of [firstCallback, secondCallback]) {
      expect(locationOf(await browser.request(callback), callback).pathname).toBe('/login/done');
    }
    expect((await first.call('login')).structured).toMatchObject({ account: { subject: firstName } });
    expect((await second.call('login')).structured).toMatchObject({ account: { subject: secondName } });
  });

  it('cannot be completed with its confirmation code by another session', async () => {
    const [alice, bob] = [forwardedClient(), forwardedClient()];
    const browser = new StepBrowser();
    const name = newUser();
    const callback = await browser.logInUntilCallback(await startLogin(alice), name);
    const codePage = locationOf(await browser.request(callback), callback);
    expect(codePage.pathname).toMatch(/^\/connect\/[^/]+\/code$/);
    const { text: page } = await browser.request(codePage);
    expect((await new StepBrowser().request(codePage)).text).not.toMatch(/[0-9A-Z]{4}-[0-9A-Z]{4}/);
    const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page)?.[0];
    await startLogin(bob);
    expect(await bob.call('login', { code })).toMatchObject({ isError: true });
    expect((await bob.call('login')).structured).toMatchObject({ status: 'pending' });
    expect((await alice.call('login', { code })).structured).toMatchObject({ account: { subject: name } });
  });
});

describe('[security 7] a pending handle', () => {
  async function pending(isBrowserDone: boolean) {
    const client = client2026(notes.mcp);
    const link = await startLogin(client);
    const name = newUser();
    if (isBrowserDone) await new Browser().logIn(link, name);
    return { client, handle: client.secret, name };
  }
  const stages = [
    { when: 'before the user has finished in the browser', isBrowserDone: false },
    { when: 'after the user has finished in the browser', isBrowserDone: true },
  ];

  it.each(stages)(
    'is accepted only by `login`, `logout` and `session_status` $when',
    async ({ isBrowserDone }) => {
      const { client, name } = await pending(isBrowserDone);
      for (const tool of ['whoami', 'list_notes', 'add_note', 'slow']) {
        const answer = await client.call(tool, tool === 'add_note' ? { text: 'too early' } : {});
        expect(answer).toMatchObject({ isError: true, text: expect.stringContaining('login') });
        expect(answer.text).not.toContain(name);
      }
      const status = await client.call('session_status');
      expect(status.structured).toMatchObject({ state: 'pending' });
      expect(status.text).not.toContain(name);
      const logout = await client.call('logout');
      expect(logout.structured).toMatchObject({ status: 'logged_out' });
      expect(logout.text).not.toContain(name);
    },
  );

  it.each(stages)('is refused for resources and prompts $when', async ({ isBrowserDone }) => {
    const { handle, name } = await pending(isBrowserDone);
    const meta = { [HANDLE_META_KEY]: handle };
    const resource = await send(notes.mcp, request2026('resources/read', { uri: 'test://me' }, { meta }));
    const prompt = await send(notes.mcp, request2026('prompts/get', { name: 'me' }, { meta }));
    for (const answer of [resource, prompt]) {
      expect(answer.text).not.toContain(name);
      expect(messageOf(answer).error).toBeDefined();
    }
  });

  it('is replaced by a session handle that is accepted for them', async () => {
    const { client, name } = await pending(true);
    await client.call('login');
    const meta = { [HANDLE_META_KEY]: client.secret };
    const resource = await send(notes.mcp, request2026('resources/read', { uri: 'test://me' }, { meta }));
    const prompt = await send(notes.mcp, request2026('prompts/get', { name: 'me' }, { meta }));
    for (const answer of [resource, prompt]) expect(answer.text).toContain(name);
  });

  it('ends when the login completes, and the session gets a new handle', async () => {
    const { client, handle, name } = await pending(true);
    const completed = await client.call('login');
    expect(completed.structured).toMatchObject({ status: 'authenticated', session: client.secret });
    expect(client.secret).not.toBe(handle);
    for (const tool of TOOLS) {
      const answer = await client2026(notes.mcp, handle).call(
        tool,
        tool === 'add_note' ? { text: 'late' } : {},
      );
      expect(answer).toMatchObject({ isError: true });
      expect(answer.text).not.toContain(name);
    }
  });

  it('that completes its login twice at the same time gets one session', async () => {
    const { client, handle } = await pending(true);
    const twice = [client2026(notes.mcp, handle), client2026(notes.mcp, handle)];
    const answers = await Promise.all(twice.map((each) => each.call('login')));
    expect(answers.filter(({ structured }) => structured.status === 'authenticated')).toHaveLength(1);
    expect(await client.call('whoami')).toMatchObject({ isError: true });
  });
});

describe('simultaneous clients', () => {
  it.each(pairs)('a slow call of a $of client does not delay a $by client', async ({ of, by }) => {
    Object.assign(slow, { started: createLatch(), released: createLatch() } satisfies Record<string, Latch>);
    const [waiting, other] = [await clients[of](), await clients[by]()];
    await logIn(other, new Browser(), newUser());
    let isReleased = false;
    const held = waiting.call('slow').then((answer) => {
      isReleased = true;
      return answer;
    });
    await slow.started.opened;
    expect(await other.call('list_notes')).toMatchObject({ isError: false });
    expect(isReleased).toBe(false);
    slow.released.open();
    expect(await held).toMatchObject({ text: 'released' });
  });
});

/** A 2026 client that reaches the server through a proxy, so that its logins need a confirmation code. */
function forwardedClient(): RawClient {
  let secret = '';
  return {
    get secret() {
      return secret;
    },
    async call(tool, args = {}) {
      const request = request2026('tools/call', {
        name: tool,
        arguments: secret ? { session: secret, ...args } : args,
      });
      const answer = await send(notes.mcp, { ...request, headers: { ...request.headers, ...FORWARDED } });
      const { isError = true, content = [], structuredContent = {} } = messageOf(answer).result ?? {};
      if (typeof structuredContent.session === 'string') secret = structuredContent.session;
      return { isError, text: content[0]?.text ?? '', structured: structuredContent };
    },
  };
}
