import { describe, expect, it, onTestFinished } from 'vitest';
import type { Sessions } from '../../packages/sessions/src/index.js';
import { logIn } from '../../packages/sessions/src/testing/index.js';
import { inMemory2025, inMemory2026 } from '../support/in-memory-client.js';
import { messageOf, type RpcMessage, request2026, send } from '../support/raw-mcp.js';
import { startSecuredNotes } from '../support/secured-notes.js';
import { ERAS, startTranscribed, type TranscribedServer } from '../support/transcribed-server.js';

const MINUTE_MS = 60_000;
const URL_ELICITATION = { elicitation: { url: {} } };

function start(change: Parameters<typeof startTranscribed>[0] = {}): TranscribedServer {
  const server = startTranscribed(change);
  onTestFinished(() => server.sessions.close());
  return server;
}

/** Connects a client that declares URL elicitation. @returns also the links of its elicitations */
async function connect(
  era: (typeof ERAS)[number],
  server: Pick<Sessions, 'handleRequest'>,
  answer: 'accept' | 'decline' | 'cancel' | 'fail',
  clientInfo?: { name: string; version: string },
) {
  const asked: string[] = [];
  const open = async ({ url }: { url: string }) => {
    asked.push(url);
    if (answer === 'fail') throw new Error('This client shows no questions.');
    return answer;
  };
  const client = await (era === '2025'
    ? inMemory2025(server, open, clientInfo)
    : inMemory2026(server, open, clientInfo));
  return { client, asked };
}

/** One request of a 2026 client that declares URL elicitation and does not support `input_required`. */
async function callOnce(
  server: Pick<Sessions, 'handleRequest'>,
  tool: string,
  args: Record<string, unknown> = {},
  clientInfo = { name: 'unaware', version: '1.0.0' },
): Promise<NonNullable<RpcMessage['result']>> {
  const meta = { 'io.modelcontextprotocol/clientInfo': clientInfo };
  const options = { capabilities: URL_ELICITATION, meta };
  const { headers, body } = request2026('tools/call', { name: tool, arguments: args }, options);
  const request = new Request('http://127.0.0.1:3000/mcp', {
    method: 'POST',
    headers: { ...headers },
    body: body ?? '',
  });
  const response = await server.handleRequest(request);
  const text = await response.text();
  const { result } = messageOf({
    status: response.status,
    headers: { 'content-type': response.headers.get('content-type') ?? '' },
    text,
  });
  if (!result) throw new Error(text);
  return result;
}

describe.each(ERAS)('a client that declines elicitation automatically (%s)', (era) => {
  it.each(['decline', 'cancel'] as const)(
    'gets the link at once after a %s, and its user can log in with it',
    async (action) => {
      const server = start();
      const { client, asked } = await connect(era, server.here, action);
      const { isError, structured } = await client.call('login');
      expect({ isError, ...structured }).toMatchObject({
        isError: false,
        status: 'pending',
        loginUrl: asked[0],
        next: expect.stringContaining('If no question was shown, open this link'),
      });
      await logIn(server.here, structured.loginUrl, { provider: server.provider, user: 'alice' });
      const session = structured.session === undefined ? {} : { session: structured.session };
      expect((await client.call('login', session)).structured).toMatchObject({
        status: 'authenticated',
        account: { subject: 'alice' },
      });
    },
  );

  it('gets the same link without elicitation from the next `login`', async () => {
    const server = start();
    const { client, asked } = await connect(era, server.here, 'decline');
    const first = await client.call('login');
    const session = first.structured.session === undefined ? {} : { session: first.structured.session };
    const second = await client.call('login', session);
    expect(second.structured).toMatchObject({ status: 'pending', loginUrl: first.structured.loginUrl });
    expect(asked).toHaveLength(1);
  });

  it('gets no elicitation for a login after an expired one', async () => {
    const server = start();
    const { client, asked } = await connect(era, server.here, 'decline');
    const first = await client.call('login');
    await server.clock.advance(11 * MINUTE_MS);
    const session = era === '2025' ? {} : { session: first.structured.session };
    const again = await client.call('login', session);
    if (era === '2025') expect(again.structured).toMatchObject({ status: 'pending' });
    else expect(again.text).toMatch(/without `session`/);
    expect(asked).toHaveLength(1);
  });

  it('reports a decline of the user to the model', async () => {
    const server = start();
    const { client } = await connect(era, server.here, 'decline');
    expect((await client.call('login')).structured.next).toMatch(
      /If they did decline, do not call `login` again until they ask to log in/,
    );
  });
});

describe('a 2025 client that fails on elicitation', () => {
  it('gets the link at once, and no further elicitation', async () => {
    const server = start();
    const { client, asked } = await connect('2025', server.here, 'fail');
    const first = await client.call('login');
    expect(first.structured).toMatchObject({ status: 'pending', loginUrl: asked[0] });
    expect((await client.call('login')).structured).toMatchObject({ loginUrl: asked[0] });
    expect(asked).toHaveLength(1);
  });
});

describe('a 2026 client that treats elicitation as a failure', () => {
  it('gets a link from its next `login`, and its user can log in with it', async () => {
    const server = start();
    expect(await callOnce(server.here, 'login')).toMatchObject({ resultType: 'input_required' });
    const { structuredContent: linked } = await callOnce(server.here, 'login');
    expect(linked).toMatchObject({
      status: 'pending',
      next: expect.stringMatching(/^Show loginUrl to the user/),
    });
    const named = { session: linked.session };
    expect((await callOnce(server.here, 'login', named)).structuredContent).toMatchObject({
      status: 'pending',
      loginUrl: linked.loginUrl,
    });
    await logIn(server.here, linked.loginUrl, { provider: server.provider, user: 'alice' });
    const { structuredContent: done } = await callOnce(server.here, 'login', named);
    expect(done).toMatchObject({ status: 'authenticated', account: { subject: 'alice' } });
  });

  it('gets a link from `login` after a call that waited for its login', async () => {
    const server = start();
    expect(await callOnce(server.here, 'list_notes')).toMatchObject({ resultType: 'input_required' });
    expect(await callOnce(server.here, 'list_notes')).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/call `login`/) }],
    });
    expect((await callOnce(server.here, 'login')).structuredContent).toMatchObject({ status: 'pending' });
  });

  it('gets no elicitation for a second provider after a login by link', async () => {
    const server = start({ providers: [{ name: 'work' }, { name: 'home' }] });
    await callOnce(server.here, 'login');
    const { structuredContent: linked } = await callOnce(server.here, 'login');
    await logIn(server.here, linked.loginUrl, { provider: server.provider, user: 'alice' });
    const { structuredContent: done } = await callOnce(server.here, 'login', { session: linked.session });
    const home = await callOnce(server.here, 'login', { session: done.session, provider: 'home' });
    expect(home.structuredContent).toMatchObject({ status: 'pending' });
  });

  it('gets elicitation again after an hour, because its user may have closed the prompt', async () => {
    const server = start();
    await callOnce(server.here, 'login');
    await server.clock.advance(61 * MINUTE_MS);
    expect(await callOnce(server.here, 'login')).toMatchObject({ resultType: 'input_required' });
  });

  it('does not affect elicitation of other clients', async () => {
    const server = start();
    await callOnce(server.here, 'login');
    const other = { name: 'aware', version: '1.0.0' };
    expect(await callOnce(server.here, 'login', {}, other)).toMatchObject({ resultType: 'input_required' });
  });

  it('gets the link from the next `login` with bearer tokens, which name no client software', async () => {
    const notes = await startSecuredNotes('same issuer');
    onTestFinished(() => notes.close());
    const { headers = {}, agent } = await notes.wayOf('alice');
    const ask = async (name: string) => {
      const request = request2026(
        'tools/call',
        { name: 'login', arguments: {} },
        {
          capabilities: URL_ELICITATION,
          meta: { 'io.modelcontextprotocol/clientInfo': { name, version: '1' } },
        },
      );
      const answer = await send(notes.mcp, {
        ...request,
        headers: { ...request.headers, ...headers },
        agent,
      });
      return messageOf(answer).result;
    };
    expect(await ask('one')).toMatchObject({ resultType: 'input_required' });
    const second = await ask('another');
    expect(second?.structuredContent).toMatchObject({
      status: 'pending',
      next: expect.stringMatching(/^Show loginUrl to the user/),
    });
    expect((await ask('one'))?.structuredContent).toMatchObject({
      loginUrl: second?.structuredContent.loginUrl,
      next: expect.stringMatching(/^The user has not completed/),
    });
  });
});

describe('a 2026 client that answers elicitation', () => {
  it('may have four open elicitations', async () => {
    const server = start();
    const { client } = await connect('2026', server.here, 'cancel', { name: 'unaware', version: '1.0.0' });
    await client.call('login');
    for (let count = 0; count < 4; count++) {
      expect(await callOnce(server.here, 'login')).toMatchObject({ resultType: 'input_required' });
    }
    expect((await callOnce(server.here, 'login')).structuredContent).toMatchObject({ status: 'pending' });
  });
});

describe.each(ERAS)('no elicitation (%s)', (era) => {
  it('is sent for `login` with `link: true`, or for later calls that continue that login', async () => {
    const server = start();
    const { client, asked } = await connect(era, server.here, 'accept');
    const { structured } = await client.call('login', { link: true });
    expect(structured).toMatchObject({
      status: 'pending',
      loginUrl: expect.stringContaining('/connect/'),
      next: expect.stringMatching(/^Show loginUrl to the user/),
    });
    const session = structured.session === undefined ? {} : { session: structured.session };
    expect((await client.call('login', session)).structured).toMatchObject({
      loginUrl: structured.loginUrl,
    });
    expect(asked).toEqual([]);
  });

  it("is sent with `elicitation: 'never'`, even for a call that requires a login", async () => {
    const server = start({ elicitation: 'never' });
    const { client, asked } = await connect(era, server.here, 'accept');
    expect((await client.call('list_notes')).text).toMatch(/[Cc]all (the )?`login`/);
    expect((await client.call('login')).structured).toMatchObject({ status: 'pending' });
    expect(asked).toEqual([]);
  });
});

it('a client with a known elicitation defect gets no elicitation up to the affected version', async () => {
  const server = start();
  const asksIn = async (name: string, version: string, era: (typeof ERAS)[number] = '2025') => {
    const { client, asked } = await connect(era, server.here, 'decline', { name, version });
    expect((await client.call('login')).structured).toMatchObject({ status: 'pending' });
    return asked.length;
  };
  expect(await asksIn('codex-mcp-client', '0.171.0')).toBe(0);
  expect(await asksIn('codex-mcp-client', '0.99.3')).toBe(0);
  expect(await asksIn('codex-mcp-client', '0.172.0')).toBe(1);
  expect(await asksIn('codex-mcp-client', '1.0.0')).toBe(1);
  expect(await asksIn('another-client', '0.171.0')).toBe(1);
  expect(await asksIn('copilot-cli', '1.0.102', '2026')).toBe(0);
  expect(await asksIn('copilot-cli', '1.1.0', '2026')).toBe(1);
  expect(await asksIn('copilot-cli', '1.0.102', '2025')).toBe(1);
});

it('the description of `login` says what to do if a call fails in the client', async () => {
  const server = start();
  const { tools } = (await (await server.clientOf('2026')).listTools()) as {
    tools: { name: string; description: string }[];
  };
  expect(tools.find(({ name }) => name === 'login')?.description).toContain('`link: true`');
});

it.each([
  ['mcporter', '0.12.3'],
  ['inspector-cli', '2.12.0'],
])(
  '%s, which starts a process for each call, is told that a login ends with its connection',
  async (name, version) => {
    const server = start();
    const cli = await inMemory2025(server.here, undefined, { name, version });
    const told = { next: expect.stringMatching(/a login ends with its connection. Tell the user/) };
    expect((await cli.call('login')).structured).toMatchObject(told);
    // A handle outlives the process.
    const modern = inMemory2026(server.here, undefined, { name, version });
    expect((await modern.call('login')).structured).not.toMatchObject(told);
  },
);
