import type { JSONRPCMessage } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { Questions } from './questions.js';

/** The questions of two server objects, one after the other, which both count from 0. */
function setUp() {
  let asked = 0;
  const nextId = () => asked++;
  const [first, second] = [new Questions(nextId), new Questions(nextId)];
  const ask = (id: number, progressToken: number | string): JSONRPCMessage => ({
    jsonrpc: '2.0',
    id,
    method: 'ping',
    params: { _meta: { progressToken } },
  });
  return { first, second, ask };
}

const answer = (id: number | string): JSONRPCMessage => ({ jsonrpc: '2.0', id, result: {} });
const cancellation = (requestId: number): JSONRPCMessage => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId, reason: 'late' },
});
const progress = (progressToken: number | string): JSONRPCMessage => ({
  jsonrpc: '2.0',
  method: 'notifications/progress',
  params: { progressToken, progress: 1 },
});

describe('Questions', () => {
  it('gives no id of a connection twice, and the answers of the client their own ids', () => {
    const { first, second, ask } = setUp();
    expect(first.toClient(ask(0, 0))).toEqual(ask(0, 0));
    expect(first.toClient(cancellation(0))).toEqual(cancellation(0));
    expect(second.toClient(ask(0, 0))).toEqual(ask(1, 1));
    expect(second.size).toBe(1);
    expect(second.toServer(answer(0))).toBeUndefined();
    expect(second.toServer(answer('1'))).toEqual(answer(0));
    expect(second.toServer(answer(1))).toBeUndefined();
    expect([first.size, second.size]).toEqual([0, 0]);
  });

  it('names the request of a cancellation as the client knows it', () => {
    const { first, second, ask } = setUp();
    first.toClient(ask(0, 0));
    second.toClient(ask(0, 0));
    expect(second.toClient(cancellation(0))).toEqual(cancellation(1));
    // One that is over already.
    expect(second.toClient(cancellation(0))).toEqual(cancellation(0));
  });

  it('brings progress to its request only, and that of a token of the author unchanged', () => {
    const { first, second, ask } = setUp();
    first.toClient(ask(0, 0));
    second.toClient(ask(0, 0));
    expect(second.toServer(progress(0))).toBeUndefined();
    expect(second.toServer(progress(1))).toEqual(progress(0));
    expect(second.toClient(ask(1, 'own'))).toEqual(ask(2, 'own'));
    expect(second.toServer(progress('own'))).toEqual(progress('own'));
  });

  it('leaves a request of the client that is named like progress to the server object', () => {
    const request = { ...progress(0), id: 420 };
    expect(setUp().second.toServer(request)).toEqual(request);
  });
});
