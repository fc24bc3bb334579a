import { readdir, readFile, readlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { Browser } from '../support/browser.js';
import { type Deployment, startDeployment } from '../support/deployment.js';
import { eventually } from '../support/journal.js';
import { client2026, connect2025, logIn, type RawClient, request2026 } from '../support/raw-mcp.js';
import { CUTS, type Cut, startTcpProxy } from './tcp-proxy.js';
import {
  CALL_ID,
  call2026,
  eventContaining,
  openWire,
  primingId,
  Wire2025,
  type WireStream,
} from './wire-stream.js';

const TOOLS = fileURLToPath(new URL('./blocking-tools.mjs', import.meta.url));
/** The bytes that a flood sends to a client that does not read. */
const FLOOD_BYTES = 320 * 1024 * 1024;
/** The maximum growth of the server: half of a flood. A server that buffers the flood grows more. */
const MOST_GROWTH_BYTES = 160 * 1024 * 1024;
/** The maximum number of bytes that two local sockets and the server buffer. */
const MOST_IN_KERNEL_BYTES = 32 * 1024 * 1024;
/** Closes idle connections early, among them those of the browsers of these tests. */
const KEPT_BRIEFLY = ['--keep-alive-seconds', '1'];
/** The listening socket, and the sockets of stdout and stderr. */
const SOCKETS_OF_AN_IDLE_SERVER = 3;

const lookSchema = z.object({
  pid: z.number(),
  held: z.array(z.string()),
  aborted: z.array(z.string()),
  floods: z.record(z.string(), z.object({ bytes: z.number(), isOver: z.boolean() })),
});

let deployment: Deployment;
let mcp: string;
/** A client with a working network, which can inspect the server. */
let bystander: RawClient;
let pid: number;

beforeAll(async () => {
  deployment = await startDeployment({ flags: ['--tools', TOOLS, ...KEPT_BRIEFLY] });
  mcp = deployment.mcp;
  bystander = await logIn(await connect2025(mcp), new Browser(), 'bystander');
  ({ pid } = await look());
});

afterAll(() => deployment.stop());

const look = async () => lookSchema.parse((await bystander.call('look')).structured);

/** Waits until the state of the server meets a condition. */
function untilServer(what: string, isSo: (state: z.infer<typeof lookSchema>) => boolean) {
  return eventually(what, async () => isSo(await look()) || undefined);
}

async function socketsOf(process: number): Promise<number> {
  const folder = `/proc/${process}/fd`;
  const targets = await Promise.all(
    // A descriptor may be closed after it has been listed.
    (await readdir(folder)).map((name) => readlink(`${folder}/${name}`).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith('socket:')).length;
}

/** The current and the maximum memory of the server. */
async function memoryOf(process: number): Promise<{ now: number; most: number }> {
  const status = await readFile(`/proc/${process}/status`, 'utf8');
  const bytes = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  return { now: bytes('VmRSS'), most: bytes('VmHWM') };
}

let users = 0;
async function connect() {
  const client = await connect2025(mcp);
  return { client, wire: new Wire2025(client.secret), name: `call-${++users}` };
}

async function proxied() {
  const proxy = await startTcpProxy(mcp);
  onTestFinished(() => proxy.close());
  return { proxy, through: proxy.through(mcp) };
}

/** Whether the server treats a logged-in client as present. */
const isPresent = async (client: RawClient) =>
  (await client.call('session_status')).structured.idleExpiresInSeconds === undefined;

const untilPresent = (client: RawClient, expected: boolean) =>
  eventually(`presence to be ${expected}`, async () => (await isPresent(client)) === expected || undefined);

/** Expects that a stream is open: it carries a notification. */
async function expectOpen(stream: WireStream, client: RawClient): Promise<void> {
  const name = `probe-${++users}`;
  await client.call('say', { name });
  await eventContaining(stream, `said ${name}`);
}

describe('the standalone stream of a 2025 client', () => {
  it('[security 5] that does not answer a ping is replaced when another one opens', async () => {
    const { client, wire, name } = await connect();
    await logIn(client, new Browser(), name);
    const { proxy, through } = await proxied();
    await wire.listen(through);
    proxy.goSilent();
    const second = await wire.listen(mcp);
    expect(second.status).toBe(200);
    await expectOpen(second, client);
    second.drop();
  });
});

describe('a 2025 call whose stream is cut', () => {
  /** A waiting call whose client has lost its stream. */
  async function cutCall(cut: Cut = 'RST') {
    const { client, wire, name } = await connect();
    const { proxy, through } = await proxied();
    const stream = await wire.call(through, 'hold', { name });
    await eventContaining(stream, `holding ${name}`);
    const lastEventId = await primingId(stream);
    proxy.cut(cut);
    await stream.over;
    return { client, wire, name, lastEventId };
  }

  it.each(CUTS)('by %s continues, and its client gets the result when it resumes', async (cut) => {
    const { wire, name, lastEventId } = await cutCall(cut);
    const resumed = await resume(wire, lastEventId);
    await bystander.call('release', { name });
    const answer = await eventContaining(resumed, `released ${name}`);
    expect(JSON.parse(answer.data)).toMatchObject({ id: CALL_ID });
    await resumed.over;
  });

  it('has its result stored for a client that resumes later', async () => {
    const { wire, name, lastEventId } = await cutCall();
    expect((await bystander.call('release', { name })).text).toBe('released');
    const resumed = await resume(wire, lastEventId);
    await eventContaining(resumed, `released ${name}`);
  });

  it('is not visible to another session that names its event id', async () => {
    const { wire, name, lastEventId } = await cutCall();
    await bystander.call('release', { name });
    const thief = await connect();
    const stolen = await thief.wire.listen(mcp, { lastEventId });
    expect(stolen.status).toBe(204);
    expect(await stolen.text).toBe('');
    await eventContaining(await resume(wire, lastEventId), `released ${name}`);
  });

  it('is not resumed with an unknown event id, which opens a standalone stream', async () => {
    const { client, wire } = await connect();
    for (const lastEventId of ['never-sent', '_GET_stream/999', `${'x'.repeat(4000)}`]) {
      const stream = await wire.listen(mcp, { lastEventId });
      expect(stream.status).toBe(200);
      await expectOpen(stream, client);
      stream.drop();
      await stream.over;
      await eventually('the stream to be forgotten', async () => {
        const next = await wire.listen(mcp);
        next.drop();
        await next.over;
        return next.status === 200 || undefined;
      });
    }
  });

  it('on a silent network has its result stored', async () => {
    const { wire, name } = await connect();
    const { proxy, through } = await proxied();
    const stream = await wire.call(through, 'hold', { name });
    const lastEventId = await primingId(stream);
    await untilServer('the call to be held', ({ held }) => held.includes(name));
    proxy.goSilent();
    await bystander.call('release', { name });
    await eventContaining(await resume(wire, lastEventId), `released ${name}`);
  });
});

/** Resumes a stream, as soon as the server has noticed the cut. */
function resume(wire: Wire2025, lastEventId: string): Promise<WireStream> {
  return eventually('the stream to go on', async () => {
    const stream = await wire.listen(mcp, { lastEventId });
    return stream.status === 200 ? stream : undefined;
  });
}

describe('a 2026 call', () => {
  const states = [
    { state: 'has sent a notification', isQuiet: false },
    { state: 'has sent nothing yet', isQuiet: true },
  ];
  const cases = states.flatMap((state) => CUTS.map((cut) => ({ ...state, cut })));

  it.each(cases)('that $state is cancelled by $cut', async ({ isQuiet, cut }) => {
    const name = `call-${++users}`;
    const { proxy, through } = await proxied();
    const call = call2026(through, 'hold', { name, isQuiet });
    const isBroken = call.then(({ over }) => over).catch(() => undefined);
    await untilServer('the call to be held', ({ held }) => held.includes(name));
    if (!isQuiet) await eventContaining(await call, `holding ${name}`);
    proxy.cut(cut);
    await isBroken;
    await untilServer('the call to be aborted', ({ aborted }) => aborted.includes(name));
    expect((await look()).held).not.toContain(name);
    expect((await bystander.call('release', { name })).text).toBe('nothing is waiting');
  });
});

describe('the listen stream of a 2026 client', () => {
  it.each(CUTS)('[security 36] that is cut by %s no longer counts as present', async (cut) => {
    const client = await logIn(client2026(mcp), new Browser(), `user-${++users}`);
    const { proxy, through } = await proxied();
    const meta = { 'dev.mcp-sessions/session': client.secret };
    const filter = { notifications: { toolsListChanged: true } };
    const stream = await openWire(through, request2026('subscriptions/listen', filter, { meta }));
    await eventContaining(stream, 'acknowledged');
    expect(await isPresent(client)).toBe(true);
    proxy.cut(cut);
    await untilPresent(client, false);
    expect((await client.call('whoami')).isError).toBe(false);
  });
});

describe('behind a proxy that buffers', () => {
  it('calls of both eras get their responses when it flushes, without delay for other clients', async () => {
    const { client, wire, name } = await connect();
    await logIn(client, new Browser(), name);
    const { proxy, through } = await proxied();
    proxy.buffer();
    const waiting = [wire.call(through, 'whoami'), call2026(through, 'look', {}), wire.listen(through)];
    await untilPresent(client, true);
    expect((await bystander.call('whoami')).structured).toMatchObject({ subject: 'bystander' });
    const late = Promise.all(waiting);
    expect(await Promise.race([late, bystander.call('look').then(() => 'nothing yet')])).toBe('nothing yet');
    proxy.flush();
    const [old, modern, standalone] = await late;
    expect(await old!.text).toContain(name);
    expect(modern!.status).toBe(200);
    await expectOpen(standalone!, client);
    standalone!.drop();
  });
});

describe('a client that does not read', () => {
  const floods = {
    'the stream of its 2025 call': async (name: string) => {
      const { wire } = await connect();
      return wire.call(mcp, 'flood', { name, stream: 'own' }, { isRead: false });
    },
    'the standalone stream of its 2025 session': async (name: string) => {
      const { wire } = await connect();
      const stream = await wire.listen(mcp, { isRead: false });
      await wire.call(mcp, 'flood', { name, stream: 'standalone' }, { isRead: false });
      return stream;
    },
    'the stream of its 2026 call': (name: string) => call2026(mcp, 'flood', { name, stream: 'own' }, false),
  };

  it.each(Object.entries(floods))(
    '[security 40] loses %s, uses no memory, and does not delay other clients',
    async (_, start) => {
      const name = `call-${++users}`;
      const { now: before } = await memoryOf(pid);
      const stream = await start(name);
      expect(stream.status).toBe(200);
      await untilServer('the flood', ({ floods: { [name]: flood } }) => {
        return flood !== undefined && (flood.isOver || flood.bytes >= FLOOD_BYTES);
      });
      expect((await bystander.call('whoami')).structured).toMatchObject({ subject: 'bystander' });
      await bystander.call('release', { name });
      await untilServer('the end of the flood', ({ floods }) => floods[name]?.isOver === true);
      // The client reads what the kernel has buffered, then the end of the connection.
      expect(await stream.readRest()).toBeLessThan(MOST_IN_KERNEL_BYTES);
      expect((await memoryOf(pid)).most - before).toBeLessThan(MOST_GROWTH_BYTES);
    },
  );
});

describe('a client that reads', () => {
  const MIB = 1024 * 1024;
  const amounts = [
    { what: 'a result', notifications: 0, resultBytes: 3 * MIB },
    { what: 'a result after a notification', notifications: 1, resultBytes: 3 * MIB },
    { what: 'a burst of notifications', notifications: 48, resultBytes: 10 },
  ];
  const large = {
    '2025': async (amount: object) => (await connect()).wire.call(mcp, 'large', amount),
    '2026': (amount: object) => call2026(mcp, 'large', { ...amount }),
  };
  const cases = amounts.flatMap((amount) => [
    { ...amount, era: '2025' as const },
    { ...amount, era: '2026' as const },
  ]);

  it.each(cases)('gets $what of 3 MiB completely in $era', async ({ era, notifications, resultBytes }) => {
    const stream = await large[era]({ notifications, resultBytes });
    expect(await stream.text).toContain('that is all');
  });
});

describe('after these tests', () => {
  it('no call and no failed connection is left in the server', async () => {
    expect((await look()).held).toEqual([]);
    const sockets = await eventually('the sockets to be closed', async () => {
      const open = await socketsOf(pid);
      return open <= SOCKETS_OF_AN_IDLE_SERVER ? open : undefined;
    });
    expect(sockets).toBe(SOCKETS_OF_AN_IDLE_SERVER);
  });
});

describe('a client that returns after the grace', () => {
  it.each(CUTS)('[security 34, 36] is signed out after a cut by %s, and can log in again', async (cut) => {
    const { mcp, server } = await deploymentWithShortGrace();
    const client = await logIn(await connect2025(mcp), new Browser(), 'alice');
    const proxy = await startTcpProxy(mcp);
    onTestFinished(() => proxy.close());
    const wire = new Wire2025(client.secret);
    await wire.listen(proxy.through(mcp));
    await untilPresent(client, true);
    proxy.cut(cut);
    await server.audit.first('the sign-out', ({ event, reason }) => {
      return event === 'session.signed_out' && reason === 'disconnect';
    });
    expect(await client.call('whoami')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/call .*`login`/i),
    });
    expect((await client.call('session_status')).structured).toMatchObject({
      state: 'anonymous',
      signedOut: 'disconnect',
    });
    expect((await wire.listen(mcp)).status).toBe(200);
    await logIn(client, new Browser(), 'alice');
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
  });

  async function deploymentWithShortGrace(): Promise<Deployment> {
    const short = await startDeployment({ flags: ['--grace-seconds', '1'] });
    onTestFinished(() => short.stop());
    return short;
  }
});
