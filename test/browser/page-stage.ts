import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { redisClusterWith } from '../../packages/sessions/src/store/redis/redis-cluster.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { eventually } from '../support/journal.js';
import { connect2025, startLogin } from '../support/raw-mcp.js';
import { startRedis } from '../support/redis-server.js';
import { type SecuredNotes, startSecuredNotes } from '../support/secured-notes.js';
import { LOGO } from './logo.js';

/** Servers that together show all pages. */
export interface PageStage {
  /** A page of a server without faults. */
  at(path: string): string;
  /** The same page, under a host name that the server does not allow. */
  underOtherName(path: string): string;
  /** A page of a server that allows one invalid request a minute. */
  atLimited(path: string): string;
  /** The link of a login that a client of this name has started. */
  link(clientName?: string): Promise<string>;
  /** The link of a login that needs a sign-in first, at an authorization server in this state. */
  signInLink(state: 'up' | 'down' | 'unknown'): Promise<string>;
  /** The link of a login at a server that fails when the link is opened. */
  brokenLink(): Promise<string>;
  /** The link of a login at a server whose engine has stopped since. */
  linkWithoutEngine(): Promise<string>;
  close(): Promise<void>;
}

const BRANDING = { name: 'Notes', logo: LOGO };
const CLIENT = 'Example Client';

export async function startPageStage(): Promise<PageStage> {
  let isBroken = false;
  const random = (size: number) => {
    if (isBroken) throw new Error('The random source failed.');
    return systemRandom(size);
  };
  const [notes, limited, broken, secured, misdirected] = await Promise.all([
    startInProcessNotes({ branding: BRANDING }),
    startInProcessNotes({ limits: { invalidLoginRequestsPerMinute: 1 } }),
    startInProcessNotes({ runtime: { random } }),
    startSecuredNotes('sign-in', { branding: BRANDING }),
    startSecuredNotes('sign-in', { branding: BRANDING }),
  ]);
  const clients: Client[] = [];
  const others: InProcessNotes[] = [];
  return {
    at: (path) => addressOf(notes, path),
    atLimited: (path) => addressOf(limited, path),
    underOtherName: (path) => addressOf(notes, path).replace('127.0.0.1', 'elsewhere.test'),
    async link(title = CLIENT) {
      const client = new Client({ name: 'example', title, version: '1.0.0' });
      clients.push(client);
      await client.connect(new StreamableHTTPClientTransport(new URL(notes.mcp)));
      const { structuredContent } = await client.callTool({ name: 'login', arguments: {} });
      // `login` returns structured content.
      return String((structuredContent as Record<string, unknown>).loginUrl);
    },
    async signInLink(state) {
      const server = state === 'unknown' ? misdirected : secured;
      const link = await startLogin(
        await connect2025(server.mcp, { ...(await server.wayOf('alice')), title: CLIENT }),
      );
      server.authorizationServer.isDown = state === 'down';
      server.authorizationServer.isUnknown = state === 'unknown';
      return link;
    },
    async brokenLink() {
      const link = await startLogin(await connect2025(broken.mcp));
      isBroken = true;
      return link;
    },
    async linkWithoutEngine() {
      const engine = await startRedis();
      const keys = [`a:${Buffer.alloc(32, 7).toString('base64')}`];
      const shared = await startInProcessNotes({
        branding: BRANDING,
        // A busy machine answers late.
        cluster: redisClusterWith({ deadlineMs: 60_000 }, { url: engine.url, keys }),
      });
      others.push(shared);
      const link = await startLogin(await connect2025(shared.mcp));
      await engine.stop();
      const isReady = async () => (await fetch(new URL('/readyz', shared.mcp))).ok;
      await eventually('the server to notice', async () => ((await isReady()) ? undefined : true));
      return link;
    },
    async close() {
      isBroken = false;
      await Promise.all(clients.map((client) => client.close()));
      await closeAll(notes, limited, broken, secured, misdirected, ...others);
    },
  };
}

function addressOf({ mcp }: InProcessNotes, path: string): string {
  return new URL(path, mcp).href;
}

async function closeAll(...servers: (InProcessNotes | SecuredNotes)[]): Promise<void> {
  await Promise.all(servers.map((server) => server.close()));
}
