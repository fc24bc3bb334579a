import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createBareServer } from '../support/bare-server.js';
import { type Ending, end, own } from '../support/child-processes.js';
import { Journal } from '../support/journal.js';
import { call2025, connect2025, JSON_HEADERS, messageOf, request2026, send } from '../support/raw-mcp.js';
import { FREE_PORTS, startServer } from '../support/server-process.js';
import { startStdio } from './stdio-process.js';

const TOOLS = fileURLToPath(new URL('./uncaught-tools.mjs', import.meta.url));
const CHILD = fileURLToPath(new URL('./tool-author-errors-child.mjs', import.meta.url));

/** Kinds of results that cannot be sent, by their names in the child. */
const UNSENDABLE = [
  'bigint',
  'cycle',
  'text of a cycle',
  'toJSON that throws',
  'a getter that throws',
  'no end of nesting',
  'promises without a handler',
  'undefined',
  'null',
  'number',
];
const THROWN = [
  'throws null',
  'rejects with nothing',
  'throws a BigInt',
  'throws what cannot be read',
  'throws what cannot be sent',
];
/** Values that the SDK accepts as results, although they are not valid. */
const NO_RESULTS = ['an array', 'a text for _meta'];
const toolOf = (kind: string) => `returns ${kind}`.replaceAll(' ', '_');

interface Child {
  readonly mcp: string;
  readonly stderr: Journal<string>;
  stop(signal: NodeJS.Signals): Promise<Ending>;
}

async function start(): Promise<Child> {
  const child: ChildProcessByStdio<null, Readable, Readable> = own(
    spawn(process.execPath, [CHILD], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } }),
  );
  const stderr = new Journal<string>();
  createInterface(child.stderr).on('line', (line) => stderr.add(line));
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`The server ended with code ${code}: ${stderr.entries.join('\n')}`);
  });
  const [mcp] = await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
  // The end of the process is not an error after the start.
  ended.catch(() => undefined);
  return { mcp, stderr, stop: (signal) => end(child, signal) };
}

let child: Child;
beforeAll(async () => {
  child = await start();
});
afterAll(() => child.stop('SIGKILL'));

const call2026 = (name: string) => request2026('tools/call', { name, arguments: {} });

/** Expects that the server still responds, after the late actions of calls. */
async function expectToLive({ mcp }: Child = child): Promise<void> {
  for (const name of ['later', 'alive']) {
    const { result } = messageOf(await send(mcp, call2026(name)));
    expect(result).toMatchObject({ isError: false });
  }
}

const held = (stderr: Journal<string>) => stderr.entries.filter((line) => line === 'holding').length;

/** Calls `holds`, and resolves when the tool runs. */
async function whileHeld({ stderr }: Child, begin: () => Promise<unknown>) {
  const before = held(stderr);
  const calling = begin().catch(() => undefined);
  await stderr.until('the call that is held', () => (held(stderr) > before ? true : undefined));
  return { calling };
}

function abort2026(mcp: string) {
  const { headers, body } = call2026('holds');
  const client = new AbortController();
  const calling = fetch(mcp, {
    method: 'POST',
    headers: { ...headers },
    body: body ?? '',
    signal: client.signal,
  });
  return { calling, abort: () => client.abort() };
}

describe('a tool that does not await its notifications and throws in callbacks', () => {
  it('does not end the process when its 2025 call is over', async () => {
    const client = await connect2025(child.mcp);
    expect((await client.call('says_too_much')).text).toBe('said');
    await expectToLive();
  });

  it('does not end the process when its 2026 call is over', async () => {
    expect((await send(child.mcp, call2026('says_too_much'))).text).toContain('said');
    await expectToLive();
  });

  it('does not end the process when its 2025 client sends DELETE', async () => {
    const client = await connect2025(child.mcp);
    const { calling } = await whileHeld(child, () => client.call('holds'));
    await client.end();
    await expectToLive();
    await calling;
  });

  it('does not end the process when its 2025 client cancels the call', async () => {
    const client = await connect2025(child.mcp);
    const { calling } = await whileHeld(child, () => client.call('holds'));
    const body = JSON.stringify({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 1 },
    });
    const headers = { ...JSON_HEADERS, 'mcp-session-id': client.secret };
    expect((await send(child.mcp, { method: 'POST', headers, body })).status).toBe(202);
    await expectToLive();
    await calling;
  });

  it('does not end the process when its 2026 client disconnects', async () => {
    let abort = () => {};
    const { calling } = await whileHeld(child, () => {
      const aborted = abort2026(child.mcp);
      abort = aborted.abort;
      return aborted.calling;
    });
    abort();
    await calling;
    await expectToLive();
  });

  it('does not end the process when the server closes', async () => {
    const closing = await start();
    onTestFinished(async () => void (await closing.stop('SIGKILL')));
    const client = await connect2025(closing.mcp);
    await whileHeld(closing, () => client.call('holds'));
    await whileHeld(closing, () => abort2026(closing.mcp).calling);
    expect(await closing.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(closing.stderr.entries.at(-1)).toBe('over');
  });
});

describe('a result that cannot be sent', () => {
  /** The number of logged errors with a text. */
  const logged = (text: string) =>
    child.stderr.entries.filter((line) => line.startsWith('{"level":"error"') && line.includes(text)).length;
  /** Waits for one more error with that text. */
  const nextLogged = (text: string, before: number) =>
    child.stderr.until(text, () => (logged(text) > before ? true : undefined));
  const clients = {
    '2025': async (method: string, params: Record<string, unknown>) => {
      const { secret } = await connect2025(child.mcp);
      const headers = { ...JSON_HEADERS, 'mcp-session-id': secret };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
      return messageOf(await send(child.mcp, { method: 'POST', headers, body }));
    },
    '2026': async (method: string, params: Record<string, unknown>) =>
      messageOf(await send(child.mcp, request2026(method, params))),
  };

  describe.each(['2025', '2026'] as const)('of %s', (era) => {
    it.each(UNSENDABLE)('becomes an error result of the tool, and is logged: %s', async (kind) => {
      const error = `tools/call \\"${toolOf(kind)}\\" cannot be sent as JSON`;
      const before = logged(error);
      const { result } = await clients[era]('tools/call', { name: toolOf(kind), arguments: {} });
      expect(result).toMatchObject({ isError: true });
      // The SDK itself refuses values that are not objects.
      if (!['undefined', 'null', 'number'].includes(kind)) await nextLogged(error, before);
    });

    it.each([...UNSENDABLE, ...THROWN])(
      'becomes an internal error of a resource or prompt: %s',
      async (kind) => {
        const uri = `bad:${encodeURIComponent(kind)}`;
        const errors = ['resources/read cannot be sent', `prompts/get \\"${kind}\\" cannot be sent`];
        const before = errors.map(logged);
        const ofResource = await clients[era]('resources/read', { uri });
        const ofPrompt = await clients[era]('prompts/get', { name: kind, arguments: {} });
        for (const { error } of [ofResource, ofPrompt]) expect(error?.code).toBe(-32_603);
        if (THROWN.includes(kind)) return;
        for (const [index, error] of errors.entries()) await nextLogged(error, before[index] ?? 0);
      },
    );

    it.each(NO_RESULTS)('gets a response if it is not a result: %s', async (kind) => {
      const before = logged('is not a JSON-RPC result');
      const uri = `bad:${encodeURIComponent(kind)}`;
      // In 2026, the SDK writes an array as an object.
      const answers = [
        await clients[era]('resources/read', { uri }),
        await clients[era]('prompts/get', { name: kind, arguments: {} }),
      ];
      if (era === '2026' && kind === 'an array') return expect(answers.map(({ id }) => id)).toEqual([7, 7]);
      for (const { error } of answers) expect(error?.code).toBe(-32_603);
      await nextLogged('is not a JSON-RPC result', before);
    });

    it.each(['checks', 'checks_shape', 'checks_result'])(
      'becomes an error if its schema rejects during validation: %s',
      async (name) => {
        const { result, error } = await clients[era]('tools/call', { name, arguments: { value: 'x' } });
        expect(result?.isError ?? error?.code).toBeOneOf([true, -32_603]);
        await expectToLive();
      },
    );

    it.each(THROWN)('becomes an error result if the tool throws it: %s', async (kind) => {
      const { result } = await clients[era]('tools/call', { name: toolOf(kind), arguments: {} });
      expect(result).toMatchObject({ isError: true });
    });

    it('becomes an error result even if it matches the output schema', async () => {
      const { result } = await clients[era]('tools/call', { name: 'strict', arguments: {} });
      expect(result).toMatchObject({ isError: true });
    });
  });
});

describe('over stdio', () => {
  const connect = async () => {
    const server = await startStdio({ command: [CHILD, 'stdio'] });
    onTestFinished(async () => void (await server.stop()));
    return server;
  };

  it('errors of an author do not end the process, and every call gets a response', async () => {
    const server = await connect();
    for (const kind of [...UNSENDABLE, ...THROWN]) {
      expect(await server.call(toolOf(kind)), kind).toMatchObject({ isError: true });
    }
    expect((await server.call('says_too_much')).text).toBe('said');
    await server.call('later');
    server.send({ id: 100, ...JSON.parse(call2025('holds')), method: 'tools/call' });
    await server.stderr.first('the call that is held', (line) => line === 'holding');
    server.stdin.end();
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.stderr.entries.at(-1)).toBe('over');
  });
});

describe('errors outside of calls', () => {
  it('are logged by the runnable without their message, and do not end it', async () => {
    const server = await startServer({ flags: [...FREE_PORTS, '--tools', TOOLS] });
    onTestFinished(async () => void (await server.stop('SIGKILL')));
    const { mcp } = server.addresses;
    for (const name of ['throws_in_timer', 'rejects_unseen', 'alive']) {
      const { result } = messageOf(await send(mcp, call2026(name)));
      expect(result).toMatchObject({ isError: false });
    }
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      const line = await server.stderr.first(event, (each) => each.includes(`"msg":"${event}"`));
      expect(line).toContain('uncaught-tools.mjs');
      expect(line).not.toContain('secret');
    }
  });

  it('an asynchronous `tools` function is refused at start', () => {
    expect(() => createBareServer(() => Promise.reject(new Error('late')))).toThrow(
      /must not be asynchronous/,
    );
  });
});
