import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { RequestEnd } from './request-end.js';

/** A request whose response the test sends. */
async function startRequest(): Promise<{ response: ServerResponse; client: Socket }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A TCP server that listens has an AddressInfo.
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').resume();
  client.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
  return { response, client };
}

const streamOf = (...chunks: string[]) =>
  new Response(new Blob(chunks).stream(), { status: 201, headers: { 'x-kept': 'yes' } });

describe('the end of a request over Node’s HTTP server', () => {
  it('comes once, after its response was sent', async () => {
    const { response } = await startRequest();
    const end = new RequestEnd(response);
    const callbacks = [vi.fn(), vi.fn()];
    for (const callback of callbacks) end.onEnd(callback);
    await end.follow(Promise.resolve(new Response('a')));
    for (const callback of callbacks) expect(callback).not.toHaveBeenCalled();
    response.end();
    await once(response, 'close');
    for (const callback of callbacks) expect(callback).toHaveBeenCalledOnce();
    const late = vi.fn();
    end.onEnd(late);
    expect(late).toHaveBeenCalledOnce();
  });

  it('comes when its client disconnects', async () => {
    const { response, client } = await startRequest();
    const callback = vi.fn();
    new RequestEnd(response).onEnd(callback);
    client.destroy();
    await expect.poll(() => callback.mock.calls.length).toBe(1);
    const late = vi.fn();
    new RequestEnd(response).onEnd(late);
    expect(late).toHaveBeenCalledOnce();
  });
});

describe('the end of a request without Node’s HTTP server', () => {
  async function follow(response: Response) {
    const end = new RequestEnd(undefined);
    const callback = vi.fn();
    end.onEnd(callback);
    return { callback, followed: await end.follow(Promise.resolve(response)) };
  }

  it('comes when its unchanged response has been read', async () => {
    const { callback, followed } = await follow(streamOf('a', 'b'));
    expect(callback).not.toHaveBeenCalled();
    expect([followed.status, followed.headers.get('x-kept'), await followed.text()]).toEqual([
      201,
      'yes',
      'ab',
    ]);
    expect(callback).toHaveBeenCalledOnce();
  });

  it('comes when its response is cancelled, fails or has no body', async () => {
    const cancelled = await follow(streamOf('a'));
    await cancelled.followed.body?.cancel();
    expect(cancelled.callback).toHaveBeenCalledOnce();
    const error = new Error('failed');
    const failed = await follow(new Response(new ReadableStream({ pull: () => Promise.reject(error) })));
    await expect(failed.followed.text()).rejects.toThrow('failed');
    expect(failed.callback).toHaveBeenCalledOnce();
    expect((await follow(new Response(null, { status: 202 }))).callback).toHaveBeenCalledOnce();
  });
});
