import { describe, expect, it } from 'vitest';
import { RequestEnd, RequestsInFlight } from '../http/request-end.js';
import { BackgroundLoads } from './background-loads.js';

/** Two modules, of which each is loaded when the test says so. */
function setUp() {
  const calls = new RequestsInFlight();
  const begun: string[] = [];
  const finish: (() => void)[] = [];
  const load = (name: string) => () => {
    begun.push(name);
    return new Promise<void>((resolve) => finish.push(resolve));
  };
  const loads = new BackgroundLoads(calls, [load('first'), load('second')]);
  /** @returns a function that ends the request */
  const beginRequest = async (): Promise<() => Promise<unknown>> => {
    const end = new RequestEnd(undefined);
    calls.add(end);
    return () => end.follow(Promise.resolve(new Response(null)));
  };
  return { loads, begun, finish, beginRequest };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('BackgroundLoads', () => {
  it('load one module after the other, and never in the tick of the start', async () => {
    const { loads, begun, finish } = setUp();
    const all = loads.run();
    expect(begun).toEqual([]);
    await turn();
    await turn();
    expect(begun).toEqual(['first']);
    finish[0]?.();
    await turn();
    await turn();
    expect(begun).toEqual(['first', 'second']);
    finish[1]?.();
    await all;
  });

  it('begin nothing while a request is in flight', async () => {
    const { loads, begun, finish, beginRequest } = setUp();
    const end = await beginRequest();
    const all = loads.run();
    await turn();
    await turn();
    expect(begun).toEqual([]);
    await end();
    await turn();
    expect(begun).toEqual(['first']);
    finish[0]?.();
    await turn();
    await turn();
    finish[1]?.();
    await all;
  });

  it('go on after a module that cannot be loaded', async () => {
    const begun: string[] = [];
    const loads = new BackgroundLoads(new RequestsInFlight(), [
      () => Promise.reject(new Error('EMFILE')),
      async () => void begun.push('second'),
    ]);
    await loads.run();
    expect(begun).toEqual(['second']);
  });

  it('stop after the module that is being loaded', async () => {
    const { loads, begun, finish } = setUp();
    const all = loads.run();
    await turn();
    await turn();
    let isStopped = false;
    const stopping = loads.stop().then(() => {
      isStopped = true;
    });
    await turn();
    expect(isStopped).toBe(false);
    finish[0]?.();
    await Promise.all([stopping, all]);
    expect(begun).toEqual(['first']);
  });
});
