import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { SessionBench, type SessionBenchOptions } from '../../../../test/support/session-bench.js';
import { liveSession, ResourceUpdates } from '../mcp/request/session.js';
import { publicIdOf } from '../session/ids.js';
import { systemRandom } from '../vault/random.js';
import { Secret } from '../vault/secret.js';
import { Vault } from '../vault/vault.js';
import { createSessionFetch } from './session-fetch.js';
import { SessionStates } from './session-state.js';
import { TokenRejections } from './token-rejection.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function startApi(handle: Handler): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    handle(request, response, body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function sessionAt(
  apiOrigins: string[] | ReadonlyMap<string, readonly string[]>,
  options: SessionBenchOptions = {},
  fetch: typeof globalThis.fetch = globalThis.fetch,
) {
  const bench = new SessionBench(options);
  const { snapshot, record } = await bench.loggedIn('alice');
  const { accounts, refresher, registry, clock } = bench;
  const rejections = new TokenRejections({ accounts, refresher, registry, clock });
  const sessionFetch = createSessionFetch({
    accounts,
    refresher,
    registry,
    rejections,
    apiOrigins: Array.isArray(apiOrigins)
      ? new Map(['idp', 'other'].map((provider) => [provider, apiOrigins]))
      : apiOrigins,
    fetch,
  });
  const states = new SessionStates({ registry, vault: new Vault(bench.keys, systemRandom, 'session-state') });
  const sessionFor = (required: string | undefined) =>
    liveSession(
      snapshot,
      {
        accounts,
        rejections,
        fetch: sessionFetch,
        states,
        idOf: (session) => publicIdOf(bench.keys, session),
        resourceUpdates: new ResourceUpdates(),
      },
      { required, all: ['idp', 'other'], given: new Map() },
    );
  return { bench, record, sessionFor, session: sessionFor(undefined) };
}

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

describe('session.fetch', () => {
  it('accepts null in place of options, as fetch does', async () => {
    const origin = await startApi((request, response) => void response.end(request.headers.authorization));
    const { session } = await sessionAt([origin]);
    // The types of `fetch` do not have null.
    const response = await session.fetch(origin, null as never);
    expect(await response.text()).toBe('Bearer access-alice-1');
  });

  it('adds the access token, and keeps what else the caller sends', async () => {
    const origin = await startApi((request, response, body) => {
      const { authorization, 'x-mine': mine } = request.headers;
      response.end(JSON.stringify({ authorization, mine, method: request.method, body }));
    });
    const { session } = await sessionAt([origin]);
    const init = { method: 'POST', body: 'hello', headers: { 'x-mine': '1', authorization: 'Bearer other' } };
    const response = await session.fetch(`${origin}/notes`, init);
    expect(await response.json()).toEqual({
      authorization: 'Bearer access-alice-1',
      mine: '1',
      method: 'POST',
      body: 'hello',
    });
  });

  it('sends nothing to an origin that is not configured [security 47]', async () => {
    let requests = 0;
    const other = await startApi((_request, response) => {
      requests++;
      response.end();
    });
    const { session } = await sessionAt(['https://api.example.com']);
    await expect(session.fetch(other)).rejects.toMatchObject({
      code: 'origin_not_allowed',
      message: expect.stringContaining(other),
    });
    expect(requests).toBe(0);
  });

  it('finds the provider by the origin, and prefers that of the handler [security 47]', async () => {
    const seen: (string | undefined)[] = [];
    const start = () =>
      startApi((request, response) => {
        seen.push(request.headers.authorization);
        response.end();
      });
    const [ofIdp, ofOther, shared] = [await start(), await start(), await start()];
    const { session, sessionFor, bench, record } = await sessionAt(
      new Map([
        ['idp', [ofIdp, shared]],
        ['other', [ofOther, shared]],
      ]),
    );
    await bench.accounts.commitLogin({ ref: record.ref, epoch: 0 }, 'other', bench.provider.grant('bob'));
    for (const origin of [ofIdp, ofOther, shared]) {
      await session.fetch(origin);
      await sessionFor('other').fetch(origin);
    }
    const [alice, bob] = ['Bearer access-alice-1', 'Bearer access-bob-2'];
    expect(seen).toEqual([alice, alice, bob, bob, alice, bob]);
  });

  it('takes a Request, and sends its body again after a refresh [security 25]', async () => {
    const seen: unknown[] = [];
    const origin = await startApi((request, response, body) => {
      const { authorization, 'content-type': type, 'x-mine': mine } = request.headers;
      seen.push({ method: request.method, authorization, type, mine, body });
      response.writeHead(authorization === 'Bearer access-alice-1' ? 401 : 200).end();
    });
    const { session } = await sessionAt([origin]);
    const headers = { 'content-type': 'application/json', 'x-mine': '1' };
    const request = new Request(`${origin}/notes`, { method: 'POST', body: '{"a":1}', headers });
    expect((await session.fetch(request, { headers: { ...headers, 'x-mine': '2' } })).status).toBe(200);
    const sent = { method: 'POST', type: 'application/json', mine: '2', body: '{"a":1}' };
    expect(seen).toEqual([
      { ...sent, authorization: 'Bearer access-alice-1' },
      { ...sent, authorization: 'Bearer access-alice-2' },
    ]);
  });

  it('follows the redirect mode and the signal of a Request', async () => {
    const { origin } = await startRedirecting(302);
    const { session } = await sessionAt([origin]);
    const manual = await session.fetch(new Request(`${origin}/`, { redirect: 'manual' }));
    expect(manual.status).toBe(302);
    const aborted = new Request(`${origin}/`, { signal: AbortSignal.abort(new Error('enough')) });
    await expect(session.fetch(aborted)).rejects.toThrow('enough');
  });

  it('follows a redirect with the token on the same origin only [security 47]', async () => {
    const seen: Record<string, string | undefined> = {};
    const other = await startApi((request, response) => {
      seen.other = request.headers.authorization;
      response.end('other');
    });
    const origin = await startApi((request, response) => {
      seen[request.url ?? ''] = request.headers.authorization;
      if (request.url === '/here') response.writeHead(302, { location: '/there' }).end();
      else if (request.url === '/there') response.writeHead(307, { location: `${other}/elsewhere` }).end();
    });
    const { session } = await sessionAt([origin, other]);
    expect(await (await session.fetch(`${origin}/here`)).text()).toBe('other');
    expect(seen).toEqual({
      '/here': 'Bearer access-alice-1',
      '/there': 'Bearer access-alice-1',
      other: undefined,
    });
  });

  it('renews a token that the API refuses, once, and repeats the call [security 25]', async () => {
    const bodies: string[] = [];
    const origin = await startApi((request, response, body) => {
      bodies.push(body);
      const isFresh = request.headers.authorization === 'Bearer access-alice-2';
      if (isFresh) response.end('ok');
      else response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
    });
    const { session, bench } = await sessionAt([origin]);
    const response = await session.fetch(origin, { method: 'POST', body: 'note' });
    expect(response.status).toBe(200);
    expect(bodies).toEqual(['note', 'note']);
    expect(bench.provider.presented).toHaveLength(1);
  });

  it('does not blame the token for a 401 with another reason [security 25]', async () => {
    const origin = await startApi((_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="insufficient_scope"' }).end();
    });
    const { session, bench } = await sessionAt([origin]);
    expect((await session.fetch(origin)).status).toBe(401);
    expect(bench.provider.presented).toHaveLength(0);
  });

  it('does not blame the token for a 401 of another origin, to which it was not sent [security 25, 47]', async () => {
    const other = await startApi((_request, response) => response.writeHead(401).end());
    const origin = await startApi((_request, response) => response.writeHead(302, { location: other }).end());
    const { session, bench } = await sessionAt([origin, other]);
    expect((await session.fetch(origin)).status).toBe(401);
    expect(bench.provider.presented).toHaveLength(0);
  });

  it('does not repeat a call whose body is a stream [security 25]', async () => {
    let requests = 0;
    const origin = await startApi((_request, response) => {
      requests++;
      response.writeHead(401).end();
    });
    const { session } = await sessionAt([origin]);
    expect((await session.fetch(origin, streamed())).status).toBe(401);
    expect(requests).toBe(1);
  });

  describe.each([301, 302, 303, 307, 308])('after a %i to another origin', (status) => {
    it.each([
      ['GET', 'GET'],
      ['HEAD', 'HEAD'],
      ['POST', 'GET'],
      ['PUT', 'GET'],
      ['DELETE', 'GET'],
    ])('sends a %s as a bare %s, also when it is sent back [security 47]', async (method, methodAfter) => {
      const seen: unknown[] = [];
      const note = ({ headers, rawHeaders, method: sent, url }: IncomingMessage, body: string) => {
        seen.push({
          url,
          method: sent,
          body,
          authorization: headers.authorization,
          raw: rawHeaders.join('\n'),
        });
      };
      const other = await startApi((request, response, body) => {
        note(request, body);
        response.writeHead(status, { location: `${origin}/back` }).end();
      });
      const origin = await startApi((request, response, body) => {
        if (request.url === '/back') {
          note(request, body);
          response.end();
        } else response.writeHead(status, { location: `${other}/away` }).end();
      });
      const { session } = await sessionAt([origin, other]);
      const response = await session.fetch(origin, {
        method,
        ...(method.startsWith('P') && { body: 'canary' }),
        referrer: `${origin}/canary`,
        headers: {
          authorization: 'Bearer canary',
          'content-type': 'text/canary',
          cookie: 'canary=1',
          'proxy-authorization': 'canary',
          'x-api-key': 'canary',
        },
      });
      expect(response.status).toBe(200);
      const bare = {
        method: methodAfter,
        body: '',
        authorization: undefined,
        raw: expect.not.stringContaining('canary'),
      };
      expect(seen).toEqual([
        { url: '/away', ...bare },
        { url: '/back', ...bare },
      ]);
    });
  });

  it('takes another scheme of the same host for another origin [security 47]', async () => {
    const requested: string[] = [];
    const answers: Readonly<Record<string, Response>> = {
      'https://api.example.com/': new Response(null, {
        status: 302,
        headers: { location: 'http://api.example.com/plain' },
      }),
      'http://api.example.com/plain': new Response('plain'),
    };
    const { session } = await sessionAt(['https://api.example.com'], {}, async (url, init) => {
      requested.push(`${new Headers(init?.headers).get('authorization')} ${url}`);
      return answers[String(url)] ?? Response.error();
    });
    expect(await (await session.fetch('https://api.example.com/')).text()).toBe('plain');
    expect(requested).toEqual([
      'Bearer access-alice-1 https://api.example.com/',
      'null http://api.example.com/plain',
    ]);
  });

  it.each([
    'data:text/plain,canary',
    'file:///canary',
    'blob:canary',
    'http://:canary',
    'https://user:canary@api.example.com/',
  ])('does not follow a redirect to %s, nor quote it [security 47]', async (location) => {
    const origin = await startApi((_request, response) => response.writeHead(302, { location }).end());
    const { session } = await sessionAt([origin]);
    const error: unknown = await session.fetch(origin).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect(inspect(error)).not.toContain('canary');
  });

  it.each([
    [301, 'POST', 'GET'],
    [302, 'post', 'GET'],
    [303, 'PUT', 'GET'],
    [303, 'POST', 'GET'],
    [301, 'PUT', 'PUT'],
    [302, 'DELETE', 'DELETE'],
    [307, 'POST', 'POST'],
    [308, 'POST', 'POST'],
  ])('after a %i sends a %s again as %s', async (status, method, methodAfter) => {
    const { origin, seen } = await startRedirecting(status);
    const { session } = await sessionAt([origin]);
    await session.fetch(origin, {
      method,
      body: '{}',
      headers: { 'content-type': 'application/json', 'x-mine': '1' },
    });
    const isKept = methodAfter !== 'GET';
    expect(seen).toEqual([
      {
        method: methodAfter,
        body: isKept ? '{}' : '',
        type: isKept ? 'application/json' : undefined,
        mine: '1',
      },
    ]);
  });

  it.each([
    [303, 'HEAD'],
    [303, 'GET'],
    [303, undefined],
    [302, undefined],
  ])('after a %i sends a %s as it was', async (status, method) => {
    const { origin, seen } = await startRedirecting(status);
    const { session } = await sessionAt([origin]);
    await session.fetch(origin, { ...(method && { method }), headers: { 'content-type': 'text/x' } });
    expect(seen).toEqual([{ method: method ?? 'GET', body: '', type: 'text/x', mine: undefined }]);
  });

  it('returns what is no redirect to follow as it is', async () => {
    let requests = 0;
    const origin = await startApi((request, response) => {
      requests++;
      if (request.url === '/nowhere') response.writeHead(302).end();
      else response.writeHead(201, { location: '/new' }).end();
    });
    const { session } = await sessionAt([origin]);
    expect((await session.fetch(origin)).status).toBe(201);
    expect((await session.fetch(`${origin}/nowhere`)).status).toBe(302);
    expect(requests).toBe(2);
  });

  it('leaves a redirect to a caller who wants to see it, and fails for one who wants none', async () => {
    const { origin, seen } = await startRedirecting(302);
    const { session } = await sessionAt([origin]);
    expect((await session.fetch(origin, { redirect: 'manual' })).status).toBe(302);
    await expect(session.fetch(origin, { redirect: 'error' })).rejects.toThrow('allows no redirect');
    expect(seen).toEqual([]);
    expect((await session.fetch(origin, { redirect: 'follow' })).status).toBe(200);
  });

  it('follows five redirects and returns the sixth', async () => {
    let requests = 0;
    const origin = await startApi((_request, response) => {
      response.writeHead(302, { location: `/${++requests}` }).end();
    });
    const { session } = await sessionAt([origin]);
    expect((await session.fetch(origin)).headers.get('location')).toBe('/6');
    expect(requests).toBe(6);
  });

  it('returns a redirect that it cannot follow, because the body has been read', async () => {
    const { origin, seen } = await startRedirecting(307);
    const { session } = await sessionAt([origin]);
    expect((await session.fetch(origin, streamed())).status).toBe(307);
    expect(seen).toEqual([]);
  });

  it.each([
    ['Bearer', 1],
    ['Bearer realm="api", ERROR = "invalid_token", error_description="expired"', 1],
    ['Bearer error=invalid_token', 1],
    ['Bearer error_description="no error given"', 1],
    ['Bearer error="invalid_request"', 0],
    ['Bearer error = "insufficient_scope", error_description="not invalid_token"', 0],
    ['Bearer error="invalid_token_binding"', 0],
  ])('after a 401 with %j refreshes %i times [security 25]', async (challenge, refreshes) => {
    const origin = await startApi((request, response) => {
      const isFirst = request.headers.authorization === 'Bearer access-alice-1';
      response.writeHead(isFirst ? 401 : 200, { 'www-authenticate': challenge }).end();
    });
    const { session, bench } = await sessionAt([origin]);
    expect((await session.fetch(origin)).status).toBe(refreshes ? 200 : 401);
    expect(bench.provider.presented).toHaveLength(refreshes);
  });

  it('refreshes after a 401 without any challenge, and not after a 403 [security 25]', async () => {
    let status = 403;
    const origin = await startApi((_request, response) => {
      response.writeHead(status).end();
    });
    const { session, bench } = await sessionAt([origin]);
    await session.fetch(origin);
    expect(bench.provider.presented).toHaveLength(0);
    status = 401;
    await session.fetch(origin);
    expect(bench.provider.presented).toHaveLength(1);
  });

  it('refreshes once for an API that refuses every token, however often it is called [security 25]', async () => {
    let requests = 0;
    const origin = await startApi((_request, response) => {
      requests++;
      response.writeHead(401).end();
    });
    const { session, sessionFor, bench, record } = await sessionAt([origin]);
    for (let call = 0; call < 4; call++) expect((await session.fetch(origin)).status).toBe(401);
    expect(bench.provider.presented).toHaveLength(1);
    expect(requests).toBe(5);

    // Another account's tokens have not been refused yet, nor have those of a later login.
    const snapshot = { ref: record.ref, epoch: 0 };
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('bob'));
    for (let call = 0; call < 3; call++) await sessionFor('other').fetch(origin);
    expect(bench.provider.presented).toHaveLength(2);
    await session.fetch(origin);
    expect(bench.provider.presented).toHaveLength(2);
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    await session.fetch(origin);
    expect(bench.provider.presented).toHaveLength(3);
  });

  it('refreshes once, also for a call that had the renewed token before an API refused it [security 25]', async () => {
    const responses: ServerResponse[] = [];
    const origin = await startApi((_request, response) => {
      if (responses.push(response) === 1) response.writeHead(401).end();
    });
    const { session, bench } = await sessionAt([origin]);
    const first = session.fetch(origin);
    await eventually(() => responses.length === 2);
    const late = session.fetch(origin);
    await eventually(() => responses.length === 3);
    responses[1]?.writeHead(401).end();
    await first;
    responses[2]?.writeHead(401).end();
    expect((await late).status).toBe(401);
    expect([bench.provider.presented.length, responses.length]).toEqual([1, 3]);
  });

  it('leaves nothing of a call whose response was read or dropped [security 38]', async () => {
    const origin = await startApi((_request, response) => response.writeHead(401).end('refused'));
    const { session, bench } = await sessionAt([origin]);
    await (await session.fetch(origin)).text();
    await session.fetch(origin);
    await expect
      .poll(() => {
        collectGarbage();
        return bench.registry.localSize;
      })
      .toBe(0);
  });

  it('tries a token again that was renewed and taken', async () => {
    let refusals = 1;
    const origin = await startApi((_request, response) => {
      response.writeHead(refusals-- > 0 ? 401 : 200).end();
    });
    const { session, bench } = await sessionAt([origin]);
    expect((await session.fetch(origin)).status).toBe(200);
    refusals = 1;
    expect((await session.fetch(origin)).status).toBe(200);
    expect(bench.provider.presented).toHaveLength(2);
  });

  it('repeats a call with a body that can be sent again, and no other [security 25]', async () => {
    const bodies: string[] = [];
    const origin = await startApi((request, response, body) => {
      bodies.push(body);
      response.writeHead(request.headers.authorization === 'Bearer access-alice-1' ? 401 : 200).end();
    });
    const repeatable: BodyInit[] = ['text', new Blob(['text']), Buffer.from('text')];
    for (const body of repeatable) {
      const { session } = await sessionAt([origin]);
      expect((await session.fetch(origin, { method: 'POST', body })).status).toBe(200);
    }
    expect(bodies).toEqual(Array.from({ length: 6 }, () => 'text'));
    const { session } = await sessionAt([origin]);
    expect((await session.fetch(origin, { method: 'POST', body: null })).status).toBe(200);

    async function* chunks() {
      yield Buffer.from('once');
    }
    // Node's fetch takes async iterables, which the DOM's types do not know.
    const body = chunks() as unknown as ReadableStream;
    const { session: another } = await sessionAt([origin]);
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', body, duplex: 'half' };
    expect((await another.fetch(origin, init)).status).toBe(401);
    expect(bodies.filter((each) => each === 'once')).toHaveLength(1);
  });

  it('asks for a new login when a refused token cannot be renewed [security 25]', async () => {
    const origin = await startApi((_request, response) => {
      response.writeHead(401).end();
    });
    const { session, bench, record } = await sessionAt([origin]);
    const granted = bench.provider.grant('alice');
    const tokens = { ...granted.tokens, refreshToken: undefined };
    await bench.accounts.commitLogin({ ref: record.ref, epoch: 0 }, 'idp', { ...granted, tokens });
    await expect(session.fetch(origin)).rejects.toMatchObject({ code: 'reauthentication_required' });
  });

  it('returns the 401 of an API when the provider cannot refresh, after one refresh [security 25]', async () => {
    const origin = await startApi((_request, response) => response.writeHead(401).end('not you'));
    let asked = 0;
    const { session } = await sessionAt([origin], {
      refreshTokens: async () => {
        asked++;
        return { kind: 'unavailable', retryAfterSeconds: 20, cause: undefined };
      },
    });
    for (let call = 0; call < 20; call++) {
      const response = await session.fetch(origin);
      expect([response.status, await response.text()]).toEqual([401, 'not you']);
    }
    expect(asked).toBe(1);
  });

  it('does not keep its caller, nor one who has logged out, waiting for a provider', async () => {
    const origin = await startApi((_request, response) => response.writeHead(401).end());
    const { bench, record, session } = await sessionAt([origin]);
    bench.provider.holds = true;
    const aborted = new AbortController();
    const held = session.fetch(origin, { signal: aborted.signal });
    await eventually(() => bench.provider.held.length === 1);
    aborted.abort(new Error('enough'));
    await expect(held).rejects.toThrow('enough');
    const another = session.fetch(origin);
    another.catch(() => undefined);
    await bench.registry.signOut(record.ref, 'logout');
    await expect(another).rejects.toMatchObject({ code: 'signed_out' });
  });

  it('is aborted by the signal of its caller, too', async () => {
    const abort = new AbortController();
    const origin = await startApi(() => abort.abort(new Error('enough')));
    const { session } = await sessionAt([origin]);
    await expect(session.fetch(origin, { signal: abort.signal })).rejects.toThrow('enough');
  });

  it('is aborted in the middle of a response when its session is signed out [security 10]', async () => {
    const origin = await startApi((_request, response) => response.write('first'));
    const { session, bench, record } = await sessionAt([origin]);
    const { body } = await session.fetch(origin);
    const reader = body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? '').toString()).toBe('first');
    collectGarbage();
    const rest = reader?.read();
    await bench.registry.signOut(record.ref, 'logout');
    await expect(rest).rejects.toMatchObject({ code: 'signed_out' });
  });

  it.each(['without', 'with'])(
    'is aborted when its session is signed out, %s a signal of its own',
    async (what) => {
      let arrived: () => void;
      const arrival = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      const origin = await startApi(() => arrived());
      const { session, bench, record } = await sessionAt([origin]);
      const call = session.fetch(origin, what === 'with' ? { signal: new AbortController().signal } : {});
      await arrival;
      await bench.registry.signOut(record.ref, 'logout');
      await expect(call).rejects.toMatchObject({ code: 'signed_out' });
    },
  );
});

describe('an error of session.fetch', () => {
  async function withToken(token: string, fetch?: typeof globalThis.fetch) {
    const made = await sessionAt(['http://127.0.0.1:1'], {}, fetch);
    const granted = made.bench.provider.grant('alice');
    const tokens = { ...granted.tokens, accessToken: Secret.fromString(token) };
    await made.bench.accounts.commitLogin({ ref: made.record.ref, epoch: 0 }, 'idp', { ...granted, tokens });
    return made.session;
  }

  it.each(['canary\r\ncanary', 'canary\ncanary', 'canary\0', 'canary\u2019', 'canary\x7fcanary'])(
    'does not quote an access token that no header can carry: %j [security 48]',
    async (token) => {
      const session = await withToken(token);
      const error: unknown = await session.fetch('http://127.0.0.1:1/').catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Error);
      expect(inspect(error)).not.toContain('canary');
    },
  );

  it.each<[string, () => Error]>([
    ['its text', () => new TypeError('Bearer canary-token refused')],
    ['its cause', () => new TypeError('failed', { cause: new Error('Bearer canary-token') })],
    ['a property', () => Object.assign(new TypeError('failed'), { request: { headers: ['canary-token'] } })],
    ['an error inside', () => new AggregateError([new Error('canary-token')], 'failed')],
  ])('does not quote the access token in %s [security 48]', async (_where, thrown) => {
    const session = await withToken('canary-token', () => Promise.reject(thrown()));
    const error: unknown = await session.fetch('http://127.0.0.1:1/').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(TypeError);
    expect(inspect(error, { depth: 9 })).not.toContain('canary');
  });

  it('is the error of the platform if it contains no secret', async () => {
    const session = await withToken('canary-token');
    await expect(session.fetch('http://127.0.0.1:1/')).rejects.toMatchObject({
      message: 'fetch failed',
      cause: expect.any(Error),
    });
  });

  it.each<[string, string, RequestInit]>([
    ['a header of the author’s', '/', { headers: { 'x-api-key': 'canary\n1' } }],
    ['a header name', '/', { headers: { 'canary\n': '1' } }],
    ['the password in an address', '//user:canary@127.0.0.1:1/', {}],
    ['an address without a host', '//:canary', {}],
  ])('does not quote %s [security 48]', async (_what, path, init) => {
    const session = await withToken('token');
    const address = path === '/' ? 'http://127.0.0.1:1/' : `http:${path}`;
    const error: unknown = await session.fetch(address, init).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect(inspect(error)).not.toContain('canary');
  });
});

/** An API that redirects once with `status`, and tells what it is asked then. */
async function startRedirecting(status: number) {
  const seen: unknown[] = [];
  const origin = await startApi((request, response, body) => {
    if (request.url === '/') {
      response.writeHead(status, { location: '/next' }).end();
      return;
    }
    const { 'content-type': type, 'x-mine': mine } = request.headers;
    seen.push({ method: request.method, body, type, mine });
    response.end();
  });
  return { origin, seen };
}

/** A request whose body can be read once. */
function streamed(): RequestInit & { duplex: 'half' } {
  return { method: 'POST', body: new Blob(['streamed']).stream(), duplex: 'half' };
}
