import { describe, expect, it } from 'vitest';
import { Lifecycle } from './lifecycle.js';

const configuration = (message: RegExp) =>
  expect.objectContaining({ code: 'configuration', message: expect.stringMatching(message) });

describe('a server', () => {
  it('serves HTTP in several ways, and then no stdio', () => {
    const serving = new Lifecycle();
    serving.overHttp();
    serving.overHttp();
    expect(() => serving.overStdio()).toThrow(configuration(/serves HTTP already/));
  });

  it('serves stdio once, and then no HTTP', () => {
    const serving = new Lifecycle();
    serving.overStdio();
    expect(() => serving.overStdio()).toThrow(configuration(/serves stdio already/));
    expect(() => serving.overHttp()).toThrow(configuration(/Create another one for HTTP/));
  });

  it('stops and closes whatever it is reached through', async () => {
    const heard: string[] = [];
    const front = (name: string) => ({
      stop: () => void heard.push(`stop ${name}`),
      close: async () => void heard.push(`close ${name}`),
    });
    const serving = new Lifecycle();
    await serving.through(front('pipe'), front('pages'));
    serving.stop();
    await serving.close();
    expect(heard).toEqual(['stop pipe', 'stop pages', 'close pipe', 'close pages']);
  });

  it('closes at once what is ready only after it was stopped, and says so', async () => {
    const heard: string[] = [];
    const front = { stop: () => void heard.push('stop'), close: async () => void heard.push('close') };
    const serving = new Lifecycle();
    serving.stop();
    await expect(serving.through(front)).rejects.toThrow(configuration(/has been closed/));
    expect(heard).toEqual(['stop', 'close']);
  });
});
