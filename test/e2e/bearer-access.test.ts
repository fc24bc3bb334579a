import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { SessionEvent } from '../../packages/sessions/src/index.js';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { type RegisteredClient, registerMcpClient } from '../support/mcp-tokens.js';
import {
  call2025,
  client2026,
  connect2025,
  JSON_HEADERS,
  logIn,
  messageOf,
  type RawClient,
  type RawRequest,
  type RawWay,
  request2026,
  send,
} from '../support/raw-mcp.js';
import { type RecordingApi, startRecordingApi } from '../support/recording-api.js';
import { sharedNodes } from '../support/shared-sessions.js';
import { eventContaining, openWire, type WireStream } from './wire-stream.js';

const SECOND = 1000;
/** The lifetime of tokens that expire in a test. */
const SHORT_SECONDS = 20;
/** The lifetime of all other tokens, longer than any test. */
const LONG_SECONDS = 3600;
const GRACE_SECONDS = 120;
/** The time after which the server introspects a token again. */
const BELIEVED_SECONDS = 60;

const clock = new VirtualClock();
let notes: InProcessNotes;
let api: RecordingApi;
let editor: RegisteredClient;
let terminal: RegisteredClient;

beforeAll(async () => {
  api = await startRecordingApi();
  notes = await startInProcessNotes({
    runtime: { clock },
    apiOrigins: [api.origin],
    access: ({ issuer }) => ({ issuer, requiredScopes: ['mcp'] }),
    tools: (server, context) => {
      server.registerTool('peek', { description: 'Tells what it sees of the request.' }, async (protocol) => {
        const headers = [...(protocol.http?.req?.headers ?? [])];
        const response = await context.session().fetch(new URL('/peek', api.origin));
        await response.text();
        return {
          content: [{ type: 'text', text: JSON.stringify({ headers, authInfo: protocol.http?.authInfo }) }],
        };
      });
    },
  });
  notes.provider.accessTokenSeconds = LONG_SECONDS;
  editor = await registerMcpClient(notes.provider.issuer, notes.mcp);
  terminal = await registerMcpClient(notes.provider.issuer, notes.mcp);
});

afterAll(async () => {
  await notes.close();
  await api.close();
});

let users = 0;
/** A unique user name that a test can search for in every response. */
const newUser = () => `user-${++users}-canary`;

const bearer = (token: string): RawWay & { readonly headers: { readonly authorization: string } } => ({
  headers: { authorization: `Bearer ${token}` },
});
const wayOf = async (user: string, client = editor) => bearer(await client.tokenFor(user));

async function shortWayOf(user: string) {
  notes.provider.accessTokenSeconds = SHORT_SECONDS;
  const way = await wayOf(user);
  notes.provider.accessTokenSeconds = LONG_SECONDS;
  return way;
}

const eras = ['2025', '2026'] as const;
type Era = (typeof eras)[number];
const connectIn = async (era: Era, way: RawWay): Promise<RawClient> =>
  era === '2025' ? connect2025(notes.mcp, way) : client2026(notes.mcp, undefined, way);

const status2026 = request2026('tools/call', { name: 'session_status', arguments: {} });
const with2026 = (way: RawWay): RawRequest => ({
  ...status2026,
  headers: { ...status2026.headers, ...way.headers },
});

/** Requests with every method, and of both eras. */
const REQUESTS: readonly [what: string, request: RawRequest][] = [
  ['POST', { method: 'POST', headers: JSON_HEADERS, body: call2025('session_status') }],
  ['GET', { headers: { accept: 'text/event-stream' } }],
  ['DELETE', { method: 'DELETE' }],
  ['POST of 2026', status2026],
];

const metadataAddress = () => new URL('/.well-known/oauth-protected-resource/mcp', notes.mcp).href;

describe('a client without a token', () => {
  it.each(REQUESTS)('is told with every %s where to get a token (RFC 9728)', async (_what, request) => {
    const headers = { ...request.headers, 'mcp-session-id': 'A'.repeat(43) };
    const answer = await send(notes.mcp, { ...request, headers });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe(
      `Bearer scope="mcp", resource_metadata="${metadataAddress()}"`,
    );
    expect(messageOf(answer).error?.message).toMatch(/access token/);
  });

  it('finds the resource and its authorization servers in the metadata', async () => {
    const answer = await send(metadataAddress());
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({
      resource: notes.mcp,
      resource_name: 'notes',
      authorization_servers: [notes.provider.issuer],
      bearer_methods_supported: ['header'],
      scopes_supported: ['mcp'],
    });
  });

  it('may be a web page: CORS exposes the challenge and the metadata [security 44]', async () => {
    const { origin } = new URL(notes.mcp);
    const refused = await send(notes.mcp, { ...status2026, headers: { ...status2026.headers, origin } });
    expect(refused.status).toBe(401);
    expect(refused.headers['access-control-allow-origin']).toBe(origin);
    expect(refused.headers['access-control-expose-headers']).toMatch(/WWW-Authenticate/);
    expect(refused.headers).not.toHaveProperty('access-control-allow-credentials');
    const ofAgent = await send(notes.mcp, status2026);
    expect(ofAgent.status).toBe(401);
    expect(Object.keys(ofAgent.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    for (const address of [notes.mcp, metadataAddress()]) {
      const preflight = await send(address, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'authorization,mcp-protocol-version',
        },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers['access-control-allow-origin']).toBe(origin);
      expect(preflight.headers['access-control-allow-headers']).toMatch(/mcp-protocol-version/);
    }
    expect((await send(metadataAddress(), { headers: { origin } })).headers).toMatchObject({
      'access-control-allow-origin': origin,
    });
  });

  it('is refused with a cookie, or with a token in the URL or the body [security 44]', async () => {
    const token = await editor.tokenFor(newUser());
    const inQuery = new URL(notes.mcp);
    inQuery.searchParams.set('access_token', token);
    const answers = [
      await send(inQuery, status2026),
      await send(notes.mcp, {
        ...status2026,
        headers: { ...status2026.headers, cookie: `access_token=${token}; authorization=Bearer ${token}` },
      }),
      await send(notes.mcp, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ access_token: token }).toString(),
      }),
      await send(notes.mcp, {
        ...status2026,
        body: JSON.stringify({ ...JSON.parse(status2026.body ?? ''), access_token: token }),
      }),
    ];
    for (const { status, headers } of answers) {
      expect(status).toBe(401);
      expect(headers['www-authenticate']).not.toContain('error=');
      expect(headers).not.toHaveProperty('set-cookie');
    }
  });
});

describe('a token', () => {
  it.each(REQUESTS)('for another resource is refused with every %s [security 9]', async (_what, request) => {
    const elsewhere = await registerMcpClient(notes.provider.issuer, 'http://127.0.0.1:1/mcp');
    const { headers } = await wayOf(newUser(), elsewhere);
    const answer = await send(notes.mcp, { ...request, headers: { ...request.headers, ...headers } });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token", /);
    expect(answer.headers['www-authenticate']).toContain(`resource_metadata="${metadataAddress()}"`);
  });

  it('of another issuer is refused [security 4, 9]', async () => {
    const other = await startInProcessNotes({ access: ({ issuer }) => ({ issuer }) });
    onTestFinished(() => other.close());
    const stranger = await registerMcpClient(other.provider.issuer, notes.mcp);
    const answer = await send(notes.mcp, with2026(await wayOf(newUser(), stranger)));
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
  });

  it.each(REQUESTS)(
    'without the required scope is refused with every %s, and the challenge names the scope',
    async (_what, request) => {
      const narrow = await registerMcpClient(notes.provider.issuer, notes.mcp, 'openid');
      const { headers } = await wayOf(newUser(), narrow);
      const answer = await send(notes.mcp, { ...request, headers: { ...request.headers, ...headers } });
      expect(answer.status).toBe(403);
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="insufficient_scope", .*scope="mcp"/);
    },
  );

  it('of an upstream provider is refused [security 9]', async () => {
    const client = await logIn(
      await connectIn('2026', await wayOf(newUser())),
      new Browser(),
      `user-${users}-canary`,
    );
    await client.call('whoami');
    for (const issued of notes.provider.issuedTokens.slice(-2)) {
      expect((await send(notes.mcp, with2026(bearer(issued)))).status).toBe(401);
    }
  });

  it('in two Authorization headers is refused, even if both are the same', async () => {
    const [first, second] = [await editor.tokenFor(newUser()), await editor.tokenFor(newUser())];
    for (const tokens of [
      [first, second],
      [first, first],
      [first, ''],
    ]) {
      expect(await statusWith(tokens.map((token) => `Bearer ${token}`))).toBe(401);
    }
    expect(await statusWith([`Bearer ${first}`])).toBe(200);
  });

  it.each(['Basic', 'DPoP', 'Token'])('under the scheme %s is refused', async (scheme) => {
    const token = await editor.tokenFor(newUser());
    const headers = { authorization: `${scheme} ${token}` };
    expect((await send(notes.mcp, with2026({ headers }))).status).toBe(401);
  });
});

/** The status of the response to a request with repeated headers. */
function statusWith(authorizations: readonly string[]): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { headers, body = '' } = status2026;
    const named = { ...headers, 'content-length': `${Buffer.byteLength(body)}` };
    // A flat list may repeat names.
    const lines = [
      ...Object.entries(named).flat(),
      ...authorizations.flatMap((each) => ['authorization', each]),
    ];
    const request = httpRequest(
      notes.mcp,
      { method: 'POST', headers: ['host', new URL(notes.mcp).host, ...lines], agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

describe.each(eras)('a client of %s', (era) => {
  it('sends its bearer token to this server only: tools and APIs do not get it [security 9]', async () => {
    const user = newUser();
    const way = await wayOf(user);
    const client = await logIn(await connectIn(era, way), new Browser(), user);
    api.requests.length = 0;
    const { text } = await client.call('peek');
    const token = way.headers.authorization.slice('Bearer '.length);
    expect(text).not.toContain(token);
    expect(text.toLowerCase()).not.toContain('"authorization"');
    expect(JSON.parse(text).authInfo).toMatchObject({ clientId: editor.clientId, scopes: ['mcp'] });
    const [request] = api.requests;
    expect(request?.headers.authorization).toMatch(/^Bearer .+/);
    expect(JSON.stringify(request)).not.toContain(token);
  });

  it('continues in the same session with a new token [security 4]', async () => {
    const user = newUser();
    const client = await logIn(await connectIn(era, await wayOf(user)), new Browser(), user);
    const renewed = await wayOf(user);
    const next =
      era === '2025'
        ? await send(notes.mcp, {
            method: 'POST',
            headers: { ...JSON_HEADERS, ...renewed.headers, 'mcp-session-id': client.secret },
            body: call2025('whoami'),
          })
        : await send(notes.mcp, {
            ...request2026('tools/call', { name: 'whoami', arguments: {} }),
            headers: {
              ...request2026('tools/call', { name: 'whoami', arguments: {} }).headers,
              ...renewed.headers,
            },
          });
    expect(messageOf(next).result?.structuredContent).toMatchObject({ subject: user });
  });

  it('has one session for each client of a user [security 4]', async () => {
    const user = newUser();
    const inEditor = await logIn(await connectIn(era, await wayOf(user)), new Browser(), user);
    const inTerminal = await connectIn(era, await wayOf(user, terminal));
    expect(await inTerminal.call('whoami')).toMatchObject({ isError: true });
    await logIn(inTerminal, new Browser(), user);
    await inTerminal.call('logout');
    expect((await inEditor.call('whoami')).structured).toMatchObject({ subject: user });
    expect((await inTerminal.call('session_status')).structured).toMatchObject({ state: 'anonymous' });
  });

  it('shares the session with the other era and with all connections of the same user and client', async () => {
    const user = newUser();
    const way = await wayOf(user);
    const first = await logIn(await connectIn(era, way), new Browser(), user);
    for (const other of eras) {
      expect((await (await connectIn(other, way)).call('whoami')).structured).toMatchObject({
        subject: user,
      });
    }
    await (await connectIn('2026', way)).call('logout');
    expect(await first.call('whoami')).toMatchObject({ isError: true });
  });

  it('logs out all sessions of its user with `everywhere`, and no other user', async () => {
    const [user, other] = [newUser(), newUser()];
    const mine = [
      await logIn(await connectIn('2025', await wayOf(user)), new Browser(), user),
      await logIn(await connectIn('2026', await wayOf(user, terminal)), new Browser(), user),
    ];
    const others = await logIn(await connectIn(era, await wayOf(other)), new Browser(), other);
    const asking = await connectIn(era, await wayOf(user));
    const { structured } = await asking.call('logout', { everywhere: true });
    expect(structured).toMatchObject({
      status: 'logged_out',
      accounts: [{ provider: 'sample' }, { provider: 'sample' }],
    });
    for (const client of mine) {
      expect(await client.call('whoami')).toMatchObject({ isError: true });
      expect((await client.call('session_status')).structured).toMatchObject({ signedOut: 'logout' });
    }
    expect((await others.call('whoami')).structured).toMatchObject({ subject: other });
  });
});

describe('a stream', () => {
  const listen2026 = (way: RawWay): RawRequest => {
    const request = request2026('subscriptions/listen', {
      notifications: { resourceSubscriptions: ['session://status'] },
    });
    return { ...request, headers: { ...request.headers, ...way.headers } };
  };
  const get2025 = (way: RawWay, id: string): RawRequest => ({
    headers: { ...way.headers, accept: 'text/event-stream', 'mcp-session-id': id },
  });
  const acknowledged = (stream: WireStream) =>
    eventContaining(stream, 'notifications/subscriptions/acknowledged');

  async function open(era: Era, way: RawWay) {
    const client = await connectIn(era, way);
    const stream = await openWire(notes.mcp, era === '2025' ? get2025(way, client.secret) : listen2026(way));
    expect(stream.status).toBe(200);
    if (era === '2026') await acknowledged(stream);
    return { client, stream };
  }

  it.each(eras)(
    'of %s ends when its token expires, and can be opened again with a new token [security 10]',
    async (era) => {
      const user = newUser();
      const { client, stream } = await open(era, await shortWayOf(user));
      let isOver = false;
      void stream.over.then(() => {
        isOver = true;
      });
      await clock.advance((SHORT_SECONDS - 5) * SECOND);
      const renewed = await wayOf(user);
      expect(isOver).toBe(false);
      await clock.advance(6 * SECOND);
      await stream.over;
      const again = await openWire(
        notes.mcp,
        era === '2025' ? get2025(renewed, client.secret) : listen2026(renewed),
      );
      expect(again.status).toBe(200);
      again.drop();
    },
  );

  it.each(eras)(
    'of %s whose token expires is not a disconnect: its user stays logged in [security 36]',
    async (era) => {
      const user = newUser();
      const { client, stream } = await open(era, await shortWayOf(user));
      await logIn(client, new Browser(), user);
      await clock.advance((SHORT_SECONDS + 1) * SECOND);
      await stream.over;
      await clock.advance((GRACE_SECONDS + 1) * SECOND);
      const again = client2026(notes.mcp, undefined, await wayOf(user));
      expect((await again.call('session_status')).structured).toMatchObject({ state: 'authenticated' });
    },
  );

  it('of 2025 ends with its connection, and the stream of another connection continues [security 10, 34]', async () => {
    const user = newUser();
    const way = await wayOf(user);
    const [ending, going] = [await open('2025', way), await open('2025', way)];
    const headers = { ...way.headers, 'mcp-session-id': ending.client.secret };
    expect((await send(notes.mcp, { method: 'DELETE', headers })).status).toBe(200);
    await ending.stream.over;
    await logIn(going.client, new Browser(), user);
    const subscribe = {
      jsonrpc: '2.0',
      id: 99,
      method: 'resources/subscribe',
      params: { uri: 'session://status' },
    };
    await send(notes.mcp, {
      method: 'POST',
      headers: { ...JSON_HEADERS, ...way.headers, 'mcp-session-id': going.client.secret },
      body: JSON.stringify(subscribe),
    });
    await going.client.call('logout');
    await eventContaining(going.stream, 'notifications/resources/updated');
    going.stream.drop();
  });

  it('of the last connection does not delay the sign-out after that connection is deleted [security 34]', async () => {
    const user = newUser();
    const way = await wayOf(user);
    const { client, stream } = await open('2025', way);
    await logIn(client, new Browser(), user);
    const signedOut = notes.next((event) => event.type === 'session.signed_out');
    const headers = { ...way.headers, 'mcp-session-id': client.secret };
    expect((await send(notes.mcp, { method: 'DELETE', headers })).status).toBe(200);
    await stream.over;
    await clock.advance((GRACE_SECONDS - 1) * SECOND);
    const before = notes.events.filter(({ type }) => type === 'session.signed_out').length;
    await clock.advance(2 * SECOND);
    expect(await signedOut).toMatchObject({ reason: 'disconnect' });
    expect(notes.events.filter(({ type }) => type === 'session.signed_out')).toHaveLength(before + 1);
  });

  // A session that several servers share does not end with one of them.
  it.skipIf(sharedNodes() !== undefined).each(eras)(
    'of %s ends when its session ends, for example when the server closes [security 10]',
    async (era) => {
      const own = await startInProcessNotes({ access: ({ issuer }) => ({ issuer }) });
      const client = await registerMcpClient(own.provider.issuer, own.mcp);
      const way = await wayOf(newUser(), client);
      const connection = await connect2025(own.mcp, way);
      const stream = await openWire(
        own.mcp,
        era === '2025' ? get2025(way, connection.secret) : listen2026(way),
      );
      if (era === '2026') await acknowledged(stream);
      await own.close();
      await stream.over;
      const ended = own.events.filter(
        (event): event is Extract<SessionEvent, { type: 'session.ended' }> => event.type === 'session.ended',
      );
      expect(ended.map(({ reason }) => reason)).toEqual(['shutdown', 'shutdown']);
    },
  );
});

describe('opaque tokens', () => {
  const opaqueClock = new VirtualClock();
  let opaque: InProcessNotes;
  let client: RegisteredClient;

  beforeAll(async () => {
    opaque = await startInProcessNotes({
      mcpTokens: 'opaque',
      runtime: { clock: opaqueClock },
      access: ({ issuer, introspection }) => ({ issuer, introspection, requiredScopes: ['mcp'] }),
    });
    client = await registerMcpClient(opaque.provider.issuer, opaque.mcp);
  });

  afterAll(() => opaque.close());

  const statusOf = async (token: string) => (await send(opaque.mcp, with2026(bearer(token)))).status;
  const introspections = () =>
    opaque.provider.exchanges.filter(({ path }) => path === '/token/introspection');

  it('are accepted for the user that introspection returns (RFC 7662)', async () => {
    const user = newUser();
    const mine = client2026(opaque.mcp, undefined, await wayOf(user, client));
    await logIn(mine, new Browser(), user);
    expect((await mine.call('whoami')).structured).toMatchObject({ subject: user });
    const other = client2026(opaque.mcp, undefined, await wayOf(newUser(), client));
    expect(await other.call('whoami')).toMatchObject({ isError: true });
  });

  it('are introspected once for simultaneous requests', async () => {
    const token = await client.tokenFor(newUser());
    const before = introspections().length;
    const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf(token)));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(introspections()).toHaveLength(before + 1);
  });

  it('that were revoked are refused at the next introspection', async () => {
    const token = await client.tokenFor(newUser());
    expect(await statusOf(token)).toBe(200);
    await client.revoke(token);
    await opaqueClock.advance(BELIEVED_SECONDS * SECOND);
    expect(await statusOf(token)).toBe(401);
  });

  it('for another resource are refused [security 9]', async () => {
    const elsewhere = await registerMcpClient(opaque.provider.issuer, 'http://127.0.0.1:1/mcp');
    expect(await statusOf(await elsewhere.tokenFor(newUser()))).toBe(401);
  });

  it('that were never issued are refused', async () => {
    expect(await statusOf('made-up')).toBe(401);
  });

  it('are answered 503 while the authorization server is down, and accepted again afterwards', async () => {
    const token = await client.tokenFor(newUser());
    opaque.provider.isDown = true;
    const answer = await send(opaque.mcp, with2026(bearer(token)));
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('60');
    expect(answer.headers).not.toHaveProperty('www-authenticate');
    opaque.provider.isDown = false;
    expect(await statusOf(token)).toBe(200);
  });
});
