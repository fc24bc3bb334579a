import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RejectedLine, validLines } from './stdio-lines.js';

const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

/** Filters the chunks that a client writes. */
async function read(...chunks: (string | Buffer)[]) {
  const rejected: RejectedLine[] = [];
  const lines = validLines((line) => rejected.push(line));
  const passed = text(lines);
  for (const chunk of chunks) lines.write(chunk);
  lines.end();
  return { passed: await passed, rejected };
}

describe('validLines', () => {
  it('passes messages on, without empty lines and byte order marks', async () => {
    const { passed, rejected } = await read(`\uFEFF${PING}\n`, '\n  \r\n', `\uFEFF${PING}\r\n`);
    expect(passed.split('\n').map((line) => line.trim())).toEqual([PING, PING, '']);
    expect(rejected).toEqual([]);
  });

  it.each<[string, string, Partial<RejectedLine>]>([
    ['text that is not JSON', 'this is not JSON', { id: null, code: -32700 }],
    ['half a message', '{"jsonrpc":"2.0","id":1,', { id: null, code: -32700 }],
    [
      'a batch',
      `[${PING}]`,
      { id: null, code: -32600, message: expect.stringMatching(/not accept batches/) },
    ],
    ['an empty batch', '[]', { id: null, code: -32600 }],
    ['a number', '7', { id: null, code: -32600 }],
    ['null', 'null', { id: null, code: -32600 }],
    [
      'a null id',
      '{"jsonrpc":"2.0","id":null,"method":"ping"}',
      { id: null, code: -32600, message: expect.stringMatching(/not null/) },
    ],
    ['an id that is an object', '{"jsonrpc":"2.0","id":{},"method":"ping"}', { id: null, code: -32600 }],
    ['another JSON-RPC version', '{"jsonrpc":"1.0","id":7,"method":"ping"}', { id: 7, code: -32600 }],
    ['a request without a method', '{"jsonrpc":"2.0","id":"a"}', { id: 'a', code: -32600 }],
    ['a method that is not a string', '{"jsonrpc":"2.0","id":2,"method":3}', { id: 2, code: -32600 }],
  ])('rejects %s with an error', async (_what, line, answer) => {
    const { passed, rejected } = await read(`${line}\n${PING}\n`);
    expect(rejected).toEqual([expect.objectContaining({ ...answer, isAnswered: true })]);
    expect(passed).toBe(`${PING}\n`);
  });

  it('rejects an invalid response without an error', async () => {
    const { rejected } = await read('{"jsonrpc":"2.0","id":{},"result":{}}\n');
    expect(rejected).toEqual([expect.objectContaining({ isAnswered: false })]);
  });

  it('passes a line of more than 10 MiB on unfinished, so that the transport closes the connection [security 40]', async () => {
    const { passed, rejected } = await read(Buffer.alloc(10 * 1024 * 1024 + 1, 'x'));
    expect(passed).toHaveLength(10 * 1024 * 1024 + 1);
    const message = expect.stringMatching(/longer than 10 MiB/);
    expect(rejected).toEqual([{ id: null, code: -32600, message, isAnswered: true }]);
    expect((await read(Buffer.alloc(1024, 'x'))).passed).toBe('');
  });

  it('finds the same lines wherever the input is split into chunks', async () => {
    const whole = Buffer.from(`${PING.replace('ping', 'pïng')}\njunk\n${PING}\n`);
    const expected = await read(whole);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(whole.length), { maxLength: 8 }), async (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        const chunks = at.slice(1).map((end, index) => whole.subarray(at[index], end));
        expect(await read(...chunks)).toEqual(expected);
      }),
    );
  });
});
