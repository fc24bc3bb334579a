import { describe, expect, it } from 'vitest';
import { Lifecycle } from './lifecycle.js';

const configuration = (message: RegExp) =>
  expect.objectContaining({ code: 'configuration', message: expect.stringMatching(message) });

describe('the lifecycle of a server', () => {
  it('allows HTTP any number of times, and stdio no more', () => {
    const lifecycle = new Lifecycle();
    lifecycle.overHttp();
    lifecycle.overHttp();
    expect(() => lifecycle.overStdio()).toThrow(configuration(/serves HTTP already/));
  });

  it('allows stdio once, and HTTP no more', () => {
    const lifecycle = new Lifecycle();
    lifecycle.overStdio();
    expect(() => lifecycle.overStdio()).toThrow(configuration(/serves stdio already/));
    expect(() => lifecycle.overHttp()).toThrow(configuration(/Create another one for HTTP/));
  });

  it('stops and closes its listeners', async () => {
    const calls: string[] = [];
    const listener = (name: string) => ({
      stop: () => void calls.push(`stop ${name}`),
      close: async () => void calls.push(`close ${name}`),
    });
    const lifecycle = new Lifecycle();
    await lifecycle.through(listener('pipe'), listener('pages'));
    lifecycle.stop();
    await lifecycle.close();
    expect(calls).toEqual(['stop pipe', 'stop pages', 'close pipe', 'close pages']);
  });

  it('closes listeners that are added after it was stopped, and throws', async () => {
    const calls: string[] = [];
    const listener = { stop: () => void calls.push('stop'), close: async () => void calls.push('close') };
    const lifecycle = new Lifecycle();
    lifecycle.stop();
    await expect(lifecycle.through(listener)).rejects.toThrow(configuration(/has been closed/));
    expect(calls).toEqual(['stop', 'close']);
  });
});
