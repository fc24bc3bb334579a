import { inputRequired, inputResponse } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createSessions, SESSION_META_KEY } from '../../packages/sessions/src/index.js';
import { FaultingProvider, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Browser } from '../support/browser.js';
import { connectEliciting } from '../support/eliciting-clients.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { messageOf, request2026, send } from '../support/raw-mcp.js';
import { StepBrowser } from '../support/step-browser.js';

const ELICITING = { elicitation: { url: {} } };
const HOLD_MS = 25_000;

/** A server whose clock and provider the test controls, and a 2026 client with URL elicitation. */
async function setUp() {
  const clock = new VirtualClock();
  const provider = new FaultingProvider();
  const ran: string[] = [];
  const checked: string[] = [];
  const requestState = {
    verify: (state: string) => {
      checked.push(state);
      return state;
    },
  };
  const sessions = createSessions({
    server: { name: 'test', version: '1', requestState },
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch, clock },
    tools: (server, current) => {
      const inputSchema = z.object({ what: z.string() });
      server.registerTool(
        'act',
        { description: 'Does something in the name of the user.', inputSchema },
        current.requireLogin(async ({ what }: { what: string }) => {
          await current
            .session()
            .withAccessToken(async (token) => ran.push(`${what} ${provider.userOf(token)}`));
          return { content: [{ type: 'text' as const, text: 'done' }] };
        }),
      );
      server.registerTool(
        'publish',
        { description: 'Requires a scope that a first login does not have.', inputSchema },
        current.requireLogin(
          async ({ what }: { what: string }) => {
            ran.push(`published ${what}`);
            return { content: [{ type: 'text' as const, text: 'done' }] };
          },
          { scopes: ['publish'] },
        ),
      );
      server.registerTool(
        'remove',
        {
          description: 'Has arguments that its schema makes something else of.',
          inputSchema: z.object({
            ids: z.array(z.string()).transform((ids) => new Set(ids)),
            size: z.string().transform(BigInt),
          }),
        },
        current.requireLogin(async ({ ids, size }: { ids: Set<string>; size: bigint }) => {
          ran.push(`${[...ids].join()} of ${size}`);
          return { content: [{ type: 'text' as const, text: 'done' }] };
        }),
      );
      server.registerTool(
        'ask',
        { description: 'Asks for something before it acts.', inputSchema },
        current.requireLogin(async ({ what }: { what: string }, { mcpReq }) => {
          const state = mcpReq.requestState();
          if (state === undefined) {
            const confirm = inputRequired.elicitUrl({ message: 'Sure?', url: 'https://example.com/' });
            return inputRequired({ inputRequests: { confirm }, requestState: `own state of ${what}` });
          }
          const { kind } = inputResponse(mcpReq.inputResponses, 'confirm');
          await current
            .session()
            .withAccessToken(async (token) => ran.push(`${kind} ${provider.userOf(token)}`));
          return { content: [{ type: 'text' as const, text: `${state}` }] };
        }),
      );
    },
  });
  onTestFinished(() => sessions.close());
  const { url } = await sessions.listen({ port: 0 });
  const call = async (
    params: Record<string, unknown>,
    { capabilities = ELICITING, meta = {} }: { capabilities?: Record<string, unknown>; meta?: object } = {},
  ) => {
    const request = request2026(
      'tools/call',
      { name: 'act', arguments: { what: 'wrote' }, ...params },
      { capabilities, meta },
    );
    const answer = await send(url, request);
    const { result, error } = messageOf(answer);
    const { isError = false, requestState, resultType, content = [], structuredContent } = result ?? {};
    const text = content.map(({ text }) => text).join('\n') + (error?.message ?? '');
    return {
      isError,
      requestState,
      resultType,
      text,
      structuredContent,
      _meta: result?._meta,
      link: linkIn(result),
      progress: progressIn(answer.text),
    };
  };
  /** The user follows the link, and logs in or declines. */
  const follow = async (link: string, user: string) => {
    const browser = new StepBrowser();
    const atProvider = await browser.consent(link);
    await browser.request(provider.authorize(atProvider.href, user));
  };
  const back = (requestState: string | undefined, action = 'accept', more = {}) =>
    call({ requestState, inputResponses: { login: { action } }, ...more });
  /** The same for a client that requests progress, in a round of the maximum length. */
  const backAndHeld = async (requestState: string | undefined) => {
    const inputResponses = { login: { action: 'accept' } };
    return held(() => call({ requestState, inputResponses }, { meta: { progressToken: 'token' } }));
  };
  /** Makes a call, and advances the clock by the maximum length of a round. */
  const held = async (act: () => ReturnType<typeof call>) => {
    const timersBefore = clock.timers;
    let isOver = false;
    const calling = act().finally(() => {
      isOver = true;
    });
    await expect
      .poll(async () => {
        if (clock.timers > timersBefore) await clock.advance(HOLD_MS);
        return isOver;
      })
      .toBe(true);
    return calling;
  };
  return { clock, sessions, call, follow, back, backAndHeld, held, ran, checked };
}

const elicitationSchema = z.object({ login: z.object({ params: z.object({ url: z.string() }) }) });

function linkIn(result: unknown): string {
  const { data } = z.object({ inputRequests: elicitationSchema }).safeParse(result);
  return data?.inputRequests.login.params.url ?? '';
}

/** The progress notifications in an event stream. */
function progressIn(events: string): unknown[] {
  return [...events.matchAll(/^data: ?(.*"notifications\/progress".*)$/gm)].map(
    ([, data = '']) => progressSchema.parse(JSON.parse(data)).params,
  );
}

const progressSchema = z.object({ params: z.looseObject({}) });

describe('a 2026 call that requires a login, of a client with URL elicitation', () => {
  it('waits for the login, runs the tool once, and returns the handle in text and `_meta` [security 7, 16]', async () => {
    const { call, follow, back, ran } = await setUp();
    const parked = await call({});
    expect(parked).toMatchObject({ resultType: 'input_required', isError: false });
    expect(ran).toEqual([]);
    await follow(parked.link, 'alice');
    const done = await back(parked.requestState);
    expect(ran).toEqual(['wrote alice']);
    const handle = /session: ([\w-]{43})/.exec(done.text)?.[1];
    expect(done.text).toMatch(/^done\n/);
    expect(done._meta).toMatchObject({ [SESSION_META_KEY]: handle });
    // The handle names an ordinary session.
    expect((await call({ arguments: { what: 'again', session: handle } })).text).toBe('done');
    expect(ran).toEqual(['wrote alice', 'again alice']);
  });

  describe('in the session of alice, for more scopes', () => {
    async function parkedForScopes() {
      const made = await setUp();
      const first = await made.call({});
      await made.follow(first.link, 'alice');
      const { text } = await made.back(first.requestState);
      const session = /session: ([\w-]{43})/.exec(text)?.[1];
      const publishing = { name: 'publish', arguments: { what: 'a note of alice', session } };
      return { ...made, session, publishing, parked: await made.call(publishing) };
    }

    it('runs when she has logged in again', async () => {
      const { parked, publishing, back, follow, ran } = await parkedForScopes();
      await follow(parked.link, 'alice');
      expect((await back(parked.requestState, 'accept', publishing)).text).toMatch(/^done\n/);
      expect(ran).toEqual(['wrote alice', 'published a note of alice']);
    });

    it('is not run when bob logs in while it waits, and returns his handle [security 7, 8]', async () => {
      const { parked, publishing, back, call, follow, ran, clock, session } = await parkedForScopes();
      const timers = clock.timers;
      const waiting = back(parked.requestState, 'accept', publishing);
      await expect.poll(() => clock.timers).toBeGreaterThan(timers);
      await follow(parked.link, 'bob');
      const answer = await waiting;
      expect(answer).toMatchObject({ isError: true });
      expect(answer.text).toMatch(/the call was not run\. bob is logged in now/);
      const handle = /session: ([\w-]{43})/.exec(answer.text)?.[1];
      expect(answer._meta).toMatchObject({ [SESSION_META_KEY]: handle });
      expect(handle).not.toBe(session);
      expect((await call({ arguments: { what: 'wrote', session: handle } })).text).toBe('done');
      expect(ran).toEqual(['wrote alice', 'wrote bob']);
    });

    it('is refused when it comes back after bob has logged in [security 7, 8]', async () => {
      const { parked, publishing, back, follow, ran } = await parkedForScopes();
      await follow(parked.link, 'bob');
      expect(await back(parked.requestState, 'accept', publishing)).toMatchObject({
        isError: true,
        text: expect.stringContaining('Call `login` with it until it returns the session handle'),
      });
      expect(ran).toEqual(['wrote alice']);
    });
  });

  it('does not run the tool again when the state is sent again [security 16]', async () => {
    const { call, follow, back, ran } = await setUp();
    const parked = await call({});
    await follow(parked.link, 'alice');
    const [one, other] = await Promise.all([back(parked.requestState), back(parked.requestState)]);
    expect([one, other].filter(({ isError }) => isError)).toHaveLength(1);
    expect((await back(parked.requestState)).text).toMatch(/used up.*again without it/);
    expect(ran).toEqual(['wrote alice']);
  });

  it.each([
    ['another tool', { name: 'ask' }],
    ['other arguments', { arguments: { what: 'deleted' } }],
  ])('refuses its state for a call of %s [security 16]', async (_what, more) => {
    const { call, follow, back, ran } = await setUp();
    const parked = await call({});
    await follow(parked.link, 'alice');
    expect(await back(parked.requestState, 'accept', more)).toMatchObject({
      isError: true,
      text: expect.stringMatching(/requestState/),
    });
    expect(ran).toEqual([]);
  });

  it('is bound to the arguments as its client sent them [security 16]', async () => {
    const { call, follow, back, ran } = await setUp();
    const removing = (...ids: string[]) => ({ name: 'remove', arguments: { ids, size: '5' } });
    const parked = await call(removing('draft'));
    const meta = { 'io.modelcontextprotocol/clientInfo': { name: 'another', version: '1' } };
    const other = await call(removing('draft'), { meta });
    await follow(parked.link, 'alice');
    await follow(other.link, 'alice');
    expect(await back(other.requestState, 'accept', removing('everything'))).toMatchObject({
      isError: true,
      text: expect.stringMatching(/requestState/),
    });
    expect((await back(parked.requestState, 'accept', removing('draft'))).text).toMatch(/^done\n/);
    expect(ran).toEqual(['draft of 5']);
  });

  it('refuses a state that was changed, cut or made up [security 16]', async () => {
    const { call, back, ran } = await setUp();
    const { requestState = '' } = await call({});
    const changed = requestState.slice(0, -8) + (requestState.endsWith('A') ? 'B' : 'A').repeat(8);
    for (const state of [
      changed,
      requestState.slice(0, -1),
      'login.',
      'login.AAAA',
      'resumed.AAAA',
      'resumed.login.AA',
    ]) {
      expect(await back(state)).toMatchObject({ isError: true });
    }
    expect(ran).toEqual([]);
  });

  it('waits 25 seconds in each round, and reports after the last one that the login is still pending', async () => {
    const { call, back, held, ran, follow } = await setUp();
    const parked = await call({});
    let state = parked.requestState;
    let answer = parked;
    let rounds = 0;
    while (!answer.isError) {
      answer = await held(() => back(state));
      if (!answer.isError) {
        expect(answer).toMatchObject({ resultType: 'input_required', link: '' });
        expect(answer.requestState).not.toBe(state);
      }
      state = answer.requestState;
      if (++rounds > 10) throw new Error('A client gives up after ten rounds.');
    }
    expect(answer.text).toMatch(/not completed. The call was not run/);
    const session = /session: ([\w-]{43})/.exec(answer.text)?.[1];
    expect(answer.text).toContain(parked.link);
    await follow(parked.link, 'alice');
    const finished = await call({ name: 'login', arguments: { session } }, { capabilities: {} });
    expect(finished.structuredContent).toMatchObject({ status: 'authenticated' });
    expect(ran).toEqual([]);
  });

  it('sends progress every five seconds in all rounds to a client that requested it', async () => {
    const { call, back, backAndHeld, follow, ran } = await setUp();
    const parked = await call({});
    const message = 'Waiting for the user to log in to provider in the browser.';
    const toldAt = (seconds: number[]) =>
      seconds.map((progress) => ({ progressToken: 'token', progress, message }));
    const first = await backAndHeld(parked.requestState);
    expect(first.progress).toEqual(toldAt([0, 5, 10, 15, 20]));
    const second = await backAndHeld(first.requestState);
    expect(second.progress).toEqual(toldAt([25, 30, 35, 40, 45]));
    await follow(parked.link, 'alice');
    expect(await back(second.requestState)).toMatchObject({ isError: false, progress: [] });
    expect(ran).toEqual(['wrote alice']);
  });

  it('does not run the tool when the user declines, and returns the link', async () => {
    const { call, follow, back, ran } = await setUp();
    const parked = await call({});
    const declined = await back(parked.requestState, 'decline');
    expect(declined).toMatchObject({ isError: true, text: expect.stringMatching(/The call was not run/) });
    expect(declined.text).toContain(`loginUrl: ${parked.link}`);
    expect(declined.text).toContain('If no question was shown, open this link');
    const session = /session: ([\w-]{43})/.exec(declined.text)?.[1];
    await follow(parked.link, 'alice');
    const done = await call({ name: 'login', arguments: { session } });
    expect(done.structuredContent).toMatchObject({ status: 'authenticated' });
    expect(ran).toEqual([]);
  });

  it('does not run the tool when the user declines in the client, even after a login', async () => {
    const { call, follow, back, ran } = await setUp();
    const parked = await call({});
    await follow(parked.link, 'alice');
    expect(await back(parked.requestState, 'decline')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/declined/),
    });
    expect(ran).toEqual([]);
  });

  it('does not wait if the login needs a confirmation code [security 7]', async () => {
    const notes = await startInProcessNotes({ access: 'open-to-network' });
    onTestFinished(() => notes.close());
    const request = request2026('tools/call', { name: 'whoami', arguments: {} }, { capabilities: ELICITING });
    const headers = { ...request.headers, 'x-forwarded-for': '203.0.113.7' };
    const { result } = messageOf(await send(notes.mcp, { ...request, headers }));
    expect(result).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/call `login` first/) }],
    });
    expect(notes.events).toEqual([]);
  });

  it('does not wait for a client without URL elicitation', async () => {
    const { call, ran } = await setUp();
    expect(await call({}, { capabilities: {} })).toMatchObject({
      isError: true,
      text: expect.stringMatching(/call `login` first/),
    });
    expect(ran).toEqual([]);
  });

  it('may send elicitation of its own after the login, and keeps its session', async () => {
    const { call, follow, back, ran, checked } = await setUp();
    const parked = await call({ name: 'ask' });
    await follow(parked.link, 'alice');
    const asks = await back(parked.requestState, 'accept', { name: 'ask' });
    expect(asks).toMatchObject({ resultType: 'input_required' });
    const inputResponses = { confirm: { action: 'accept' } };
    const returned = { name: 'ask', inputResponses, requestState: asks.requestState };
    const done = await call(returned);
    expect(done.text).toMatch(/^own state of wrote\nThe user has logged in. session: /);
    expect(ran).toEqual(['elicit alice']);
    expect(await call(returned)).toMatchObject({ isError: true });
    const handle = /session: ([\w-]{43})/.exec(done.text)?.[1];
    const later = await call({ name: 'ask', arguments: { what: 'later', session: handle } });
    expect(later.requestState).toEqual(expect.stringMatching(/own state of later$/));
    const last = await call({
      ...returned,
      arguments: { what: 'later', session: handle },
      requestState: later.requestState,
    });
    expect(last.text).toBe('own state of later');
    // The author's verifier gets only the author's own states.
    expect(checked).toEqual(['own state of wrote', 'own state of later']);
  });
});

describe('with the real client', () => {
  let notes: InProcessNotes;
  beforeAll(async () => {
    notes = await startInProcessNotes();
  });
  afterAll(() => notes.close());

  it('a call without a login continues when the user has logged in', async () => {
    const client = await connectEliciting('SDK 2.x in 2026', notes.mcp, async ({ url }) => {
      void new Browser().logIn(url, 'alice');
      return 'accept';
    });
    const answer = await client.call('add_note', { text: 'after the login' });
    expect(answer).toMatchObject({ isError: false, structured: { text: 'after the login' } });
    const session = /session: ([\w-]{43})/.exec(answer.text)?.[1];
    // Some hosts show their models only the text.
    expect(answer.structured).toMatchObject({
      session,
      next: expect.stringContaining('Pass this `session` in every further call'),
    });
    expect((await client.call('list_notes', { session })).structured.notes).toHaveLength(1);
    await client.close();
  });
});
