import { inputRequired } from '@modelcontextprotocol/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { FaultingProvider, logIn } from '../../packages/sessions/src/testing/index.js';
import { inMemory2026 } from '../support/in-memory-client.js';
import { ISSUER, startTokenIssuer, withToken } from '../support/token-issuer.js';
import { named, startTranscribed } from '../support/transcribed-server.js';

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
const STALE = expect.stringMatching(/not continued\. Repeat the call from the beginning/);

/** A 2026 client of a server whose tools and prompt take two rounds. */
function start(access: 'open' | 'bearer') {
  const issuer = startTokenIssuer();
  const provider = new FaultingProvider({ fetch: issuer.fetch });
  const checked: string[] = [];
  const verify = (state: string) => {
    checked.push(state);
    if (state === 'refused') throw new Error('refused');
  };
  const server = startTranscribed({
    server: { name: 'rounds', version: '1', requestState: { verify } },
    providers: [provider.options],
    runtime: { fetch: provider.fetch },
    ...(access === 'bearer' && { access: { issuer: ISSUER } }),
    tools: (mcp, context) => {
      const user = async () => (await context.session().account())?.subject ?? 'no user';
      const rounds = async (state: string | undefined) =>
        state === undefined
          ? inputRequired({ requestState: `state of ${await user()}` })
          : text(`${state}, run for ${await user()}`);
      const inputSchema = z.object({ what: z.string() });
      mcp.registerTool('open', { inputSchema }, (_args, { mcpReq }) => rounds(mcpReq.requestState()));
      mcp.registerTool('refused', { inputSchema }, (_args, { mcpReq }) =>
        mcpReq.requestState() ? text('ran') : inputRequired({ requestState: 'refused' }),
      );
      mcp.registerTool(
        'private',
        { inputSchema },
        context.requireLogin((_args: { what: string }, { mcpReq }) => rounds(mcpReq.requestState())),
      );
      mcp.registerPrompt('prompt', {}, async ({ mcpReq }) => {
        const state = mcpReq.requestState<string>();
        if (state === undefined) return inputRequired({ requestState: `state of ${await user()}` });
        return { messages: [{ role: 'user', content: { type: 'text', text: `${state}, run` } }] };
      });
    },
  });
  onTestFinished(() => server.sessions.close());
  const here = access === 'bearer' ? withToken(server.here, issuer.tokenOf('caller')) : server.here;
  const client = inMemory2026(here);
  const logInAs = async (name: string, given: Record<string, unknown> = {}) => {
    const started = (await client.call('login', given)).structured;
    await logIn(server.here, started.loginUrl, { provider, user: name });
    return named((await client.call('login', { ...given, ...named(started) })).structured);
  };
  /** One round of a call. */
  const round = async (tool: string, args: Record<string, unknown>, requestState?: unknown) => {
    const params = { name: tool, arguments: { what: 'note', ...args } };
    const result = await client.request('tools/call', {
      ...params,
      ...(requestState !== undefined && { requestState }),
    });
    return { state: result.requestState, isError: result.isError ?? false, text: result.content?.[0]?.text };
  };
  return { client, checked, logInAs, round };
}

describe.each(['open', 'bearer'] as const)('the `requestState` of a tool (2026, %s access)', (access) => {
  it.each(['open', 'private'])(
    'comes back in the same session, as the tool has set it (%s)',
    async (tool) => {
      const { logInAs, round, checked } = start(access);
      const alice = await logInAs('alice');
      const { state } = await round(tool, alice);
      expect(await round(tool, alice, state)).toMatchObject({ text: 'state of alice, run for alice' });
      expect(checked).toEqual(['state of alice']);
    },
  );

  it.each(['open', 'private'])(
    'is refused after the user has logged out and another one has logged in; the next call begins again (%s) [security 7, 8, 16]',
    async (tool) => {
      const { client, logInAs, round, checked } = start(access);
      const alice = await logInAs('alice');
      const { state } = await round(tool, alice);
      await client.call('logout', alice);
      const bob = await logInAs('bob');
      expect(await round(tool, bob, state)).toMatchObject({ isError: true, text: STALE });
      expect(checked).toEqual([]);
      const { state: next } = await round(tool, bob);
      expect(await round(tool, bob, next)).toMatchObject({ text: 'state of bob, run for bob' });
    },
  );

  it('is refused when it was changed or made up, or belongs to another call [security 16]', async () => {
    const { logInAs, round, checked } = start(access);
    const alice = await logInAs('alice');
    const { state } = await round('open', alice);
    for (const forged of [
      'made up',
      'session.',
      `${String(state)}x`,
      String(state).replace('alice', 'bobby'),
    ]) {
      await expect(round('open', alice, forged)).rejects.toThrow(/-32602: Invalid or expired requestState/);
      expect(await round('private', alice, forged)).toMatchObject({
        isError: true,
        text: expect.stringContaining('The requestState is invalid'),
      });
    }
    await expect(round('refused', alice, state)).rejects.toThrow(/-32602/);
    await expect(round('open', { ...alice, what: 'other' }, state)).rejects.toThrow(/-32602/);
    expect(checked).toEqual([]);
  });
});

it('the `requestState` of a prompt is refused after the user has logged out and another one has logged in [security 7, 8, 16]', async () => {
  const { client, logInAs } = start('bearer');
  const get = (requestState?: unknown) =>
    client.request('prompts/get', { name: 'prompt', ...(requestState !== undefined && { requestState }) });
  await logInAs('alice');
  const { requestState } = await get();
  expect(JSON.stringify(await get(requestState))).toContain('state of alice, run');
  await client.call('logout');
  await logInAs('bob');
  await expect(get(requestState)).rejects.toThrow(/-32602: .*Repeat the call from the beginning/);
});

it("a `requestState` that the author's own check refuses does not reach the tool", async () => {
  const { logInAs, round, checked } = start('bearer');
  await logInAs('alice');
  const { state } = await round('refused', {});
  await expect(round('refused', {}, state)).rejects.toThrow(/-32602/);
  expect(checked).toEqual(['refused']);
});
