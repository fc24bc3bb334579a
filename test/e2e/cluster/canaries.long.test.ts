import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Needles } from '../../hygiene/needles.js';
import { ProcessMemory } from '../../hygiene/process-memory.js';
import { type Balancer, startBalancer } from '../../support/balancer.js';
import { Browser } from '../../support/browser.js';
import { freePort } from '../../support/free-port.js';
import {
  type IdentityProviderProcess,
  startIdentityProviderProcess,
} from '../../support/identity-provider-process.js';
import { isInstalled } from '../../support/installed-program.js';
import { client2026, connect2025, type RawClient, startLogin } from '../../support/raw-mcp.js';
import { REDIS, type RedisServer, startRedis } from '../../support/redis-server.js';
import { type ServerProcess, startServer } from '../../support/server-process.js';

/** Only Linux provides the memory of a process as a file, and only with the permission to trace it. */
const isReadable = process.platform === 'linux' && process.getuid?.() === 0;

/** A user, and the address of a client, which appear nowhere else. */
const USER = 'canary-of-the-user';
const ADDRESS = '203.0.113.177';
const WAY = { headers: { 'x-forwarded-for': ADDRESS } };
/** What the engine is given, and a file of each folder, so that a search that finds nothing is noticed. */
const CONTROL = `control-${randomBytes(12).toString('hex')}`;
const CONTROL_FILE = 'control';
const MASTER_KEY = randomBytes(32);
/** The length of the shortest form that is searched. */
const MIN_BYTES = 8;

let engines: RedisServer[] = [];
let provider: IdentityProviderProcess;
let balancer: Balancer;
let folders: string[] = [];
const servers: ServerProcess[] = [];

/** How a secret appears among other bytes: as text of one and two bytes, in hexadecimal, and in base64 at any offset. */
function formsOf(secret: string | Buffer): Buffer[] {
  const bytes = Buffer.from(secret as string);
  const inBase64 = [0, 1, 2].flatMap((offset) => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    // What the neighbors change is left out.
    return [shifted.toString('base64'), shifted.toString('base64url')].map((form) => form.slice(4, -4));
  });
  const texts = [bytes.toString('hex'), ...inBase64].map((form) => Buffer.from(form));
  const forms = [bytes, Buffer.from(bytes.toString('latin1'), 'utf16le'), ...texts];
  // Fewer bytes are found by chance.
  return forms.filter(({ length }) => length >= MIN_BYTES);
}

/** The secrets that are in the memory of a process or in the files of a folder. */
class Search {
  readonly #names: string[] = [];
  readonly #needles: Needles;

  constructor(secrets: Readonly<Record<string, string | Buffer>>) {
    const forms = Object.entries(secrets).flatMap(([name, secret]) =>
      formsOf(secret).map((form) => ({ name, form })),
    );
    for (const { name } of forms) this.#names.push(name);
    this.#needles = new Needles(forms.map(({ form }) => form));
  }

  async inMemory(pid: number): Promise<string[]> {
    return this.#namesOf(await ProcessMemory.inspect(pid, (memory) => memory.search(this.#needles)));
  }

  async inFolder(folder: string): Promise<string[]> {
    const paths = (await readdir(folder, { recursive: true })).map((path) => join(folder, path));
    const found: string[] = [];
    for (const path of paths)
      if ((await stat(path)).isFile()) found.push(...this.#namesOf(this.#needles.searchFile(path)));
    return [...new Set(found)];
  }

  #namesOf(found: ReadonlyMap<number, unknown>): string[] {
    return [...new Set([...found.keys()].map((needle) => this.#names[needle] ?? ''))];
  }
}

async function addServer(): Promise<void> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'canary-'));
  await writeFile(join(folder, CONTROL_FILE), CONTROL);
  folders.push(folder);
  servers.push(
    await startServer({
      flags: [...provider.toolFlags, '--port', String(port), '--access', 'open-to-network'],
      folder,
      environment: {
        ...provider.serverEnvironment,
        TMPDIR: folder,
        MCP_SESSIONS_PUBLIC_URL: balancer.url,
        MCP_SESSIONS_TRUSTED_PROXIES: '127.0.0.1',
        MCP_SESSIONS_REDIS_URL: engines[0]?.url ?? '',
        MCP_SESSIONS_MASTER_KEYS: `a:${MASTER_KEY.toString('base64')}`,
      },
    }),
  );
  balancer.add(port);
}

/** Logs in as the user. @returns what only the client, its browser and the servers may know */
async function logIn(client: RawClient): Promise<Record<string, string>> {
  const link = await startLogin(client);
  const page = await new Browser().logIn(link, USER);
  const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)?.[0] ?? '';
  expect((await client.call('login', { code })).structured).toMatchObject({ status: 'authenticated' });
  expect((await client.call('whoami')).text).toContain(USER);
  await client.call('add_note', { text: 'a note' });
  return { link: new URL(link).pathname.split('/').at(-1) ?? '', code, secret: client.secret };
}

describe.skipIf(!isInstalled(REDIS) || !isReadable)('an engine with a replica, and three servers', () => {
  beforeAll(async () => {
    const primary = await startRedis();
    engines = [primary, await startRedis(['--replicaof', `127.0.0.1 ${primary.port}`])];
    folders = engines.map(({ folder }) => folder);
    for (const folder of folders) await writeFile(join(folder, CONTROL_FILE), CONTROL);
    [provider, balancer] = await Promise.all([startIdentityProviderProcess(), startBalancer()]);
    for (let server = 0; server < 3; server++) await addServer();
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop('SIGKILL')));
    await Promise.all([balancer?.close(), provider?.stop(), ...engines.map((engine) => engine.stop())]);
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  });

  it('have no token, id, name, address or key in the memory of the engine or in a folder [security 50, 51]', async () => {
    const mcp = `${balancer.url}/mcp`;
    const modern = await logIn(client2026(mcp, undefined, WAY));
    const old = await logIn(await connect2025(mcp, WAY));
    const [primary, replica] = engines.map(({ url }) => new Redis(url));
    await primary?.set('control', CONTROL);
    await expect.poll(() => replica?.get('control')).toBe(CONTROL);
    expect(await replica?.keys('{ms}:s:*')).toHaveLength(2);
    for (const each of [primary, replica]) each?.disconnect();

    const tokens = provider.issued.entries;
    expect(tokens.length).toBeGreaterThanOrEqual(4);
    const search = new Search({
      control: CONTROL,
      user: USER,
      address: ADDRESS,
      'master key': MASTER_KEY,
      ...Object.fromEntries(tokens.map((token, at) => [`token ${at}`, token])),
      ...Object.fromEntries(Object.entries(modern).map(([name, secret]) => [`${name} of 2026`, secret])),
      ...Object.fromEntries(Object.entries(old).map(([name, secret]) => [`${name} of 2025`, secret])),
    });
    for (const { pid } of engines) expect(await search.inMemory(pid)).toEqual(['control']);
    for (const folder of folders) expect(await search.inFolder(folder)).toEqual(['control']);
  });
});
