/** This library, as it is built. Its sessions are logged in without browser and provider. */
import { setImmediate } from 'node:timers/promises';
import { builtModule, z } from '../library.js';
import { addHandle, logIn, PROVIDER, TOKEN_CHARACTERS } from './logged-in-sessions.js';
import { ECHO, ECHO_DESCRIPTION, SERVER_INFO, serve } from './serve.js';
import { type LongestTurn, Turns } from './turns.js';

const { composeServer } = await builtModule('server/create-sessions');
const { createMapPorts } = await builtModule('store/ports');

const startSchema = z.object({
  sessions: z.number(),
  /** An identity provider, for real logins and revocations. */
  issuer: z.string().default('http://127.0.0.1:9'),
  dispatch: z.enum(['direct', 'sdk']).default('direct'),
  /** The engine that this server shares with others, and its master key. */
  cluster: z.object({ url: z.string(), key: z.string() }).optional(),
  /** What the handlers ask for. */
  tools: z.array(z.enum(['echo', 'echo_logged_in', 'echo_with_token'])).default(['echo']),
});

/** Made once, as by the peers. */
const inputSchema = z.object({ text: z.string() });

/** Sessions that come and go during the benchmark. */
const SPARE_SESSIONS = 20_000;
const MAX_SESSIONS = 1_000_000;
const DAY_MS = 24 * 3600 * 1000;
/** The number of sessions that are replaced at the same time. */
const REPLACERS = 8;

type Parts = ReturnType<typeof composeServer>['parts'];
type SessionRef = NonNullable<Awaited<ReturnType<Parts['registry']['get']>>>['ref'];

let parts: Parts | undefined;

serve(
  async (argument) => {
    const { sessions, issuer, dispatch, tools, cluster } = startSchema.parse(argument);
    const maxSessions = Math.min(sessions + SPARE_SESSIONS, MAX_SESSIONS);
    const composed = composeServer(createMapPorts, {
      server: SERVER_INFO,
      providers: { name: PROVIDER, issuer, clientId: 'bench', scopes: ['profile'] },
      lifetimes: { idleMs: DAY_MS, absoluteMs: DAY_MS, connectionTtlMs: DAY_MS, disconnectGraceMs: DAY_MS },
      dispatch,
      cluster: cluster && (await clusterOf(cluster)),
      limits: { maxSessions, anonymousSessions: maxSessions },
      tools: (server, context) => {
        const config = { description: ECHO_DESCRIPTION, inputSchema };
        const echo = ({ text }: { text: string }) => ({ content: [{ type: 'text' as const, text }] });
        const withToken = async (given: { text: string }) => {
          await context.session().withAccessToken(async (token) => {
            if (token.length !== TOKEN_CHARACTERS) throw new Error('This is not the token of a session.');
          });
          return echo(given);
        };
        const handlers = {
          [ECHO]: echo,
          echo_logged_in: context.requireLogin(echo),
          echo_with_token: context.requireLogin(withToken),
        };
        for (const name of tools) server.registerTool(name, config, handlers[name]);
      },
    });
    ({ parts } = composed);
    return (await composed.sessions.listen({ port: 0 })).url;
  },
  {
    /** Logs every 2025 connection in that has no login, each as its own user. */
    async logInConnections() {
      const { registry } = started();
      for await (const ref of refsOf(registry)) {
        const record = await registry.get(ref);
        if (record && Object.keys(record.accounts).length === 0) await logIn(started(), record);
      }
    },
    /** Adds sessions of the 2026 revision, each with its own user. @returns their handles */
    async addHandles(argument): Promise<string[]> {
      const ids: string[] = [];
      for (let left = z.number().parse(argument); left > 0; left--) ids.push((await addHandle(started())).id);
      return ids;
    },
    /** The duration of a full collection, in milliseconds. */
    collectMs(): number {
      const startedMs = performance.now();
      globalThis.gc?.();
      return performance.now() - startedMs;
    },
    /** Logs sessions out and adds others, for some seconds. @returns how many, and the longest turn of the event loop */
    async replace(argument): Promise<LongestTurn & { readonly replaced: number }> {
      const untilMs = performance.now() + z.number().parse(argument) * 1000;
      const { registry } = started();
      // Not a list: garbage collection would spend most of its time on a million texts.
      const refs = refsOf(registry);
      let replaced = 0;
      const work = async () => {
        while (performance.now() < untilMs) {
          const { value: ref } = await refs.next();
          if (ref === undefined) throw new Error('There are too few sessions.');
          replaced++;
          await (await registry.signOut(ref, 'logout')).revoked;
          await addHandle(started());
          await setImmediate();
        }
      };
      const turns = new Turns();
      await Promise.all(Array.from({ length: REPLACERS }, work));
      return { replaced, ...(await turns.end()) };
    },
  },
);

/** Loaded for the servers that have an engine only. */
async function clusterOf({ url, key }: { url: string; key: string }) {
  const { redisClusterWith } = await builtModule('store/redis/redis-cluster');
  // On a busy machine, a pause ends no benchmark.
  return redisClusterWith({ deadlineMs: 30_000 }, { url, keys: [key] });
}

async function* refsOf(registry: Parts['registry']): AsyncGenerator<SessionRef, void, undefined> {
  for await (const refs of registry.refs()) yield* refs;
}

function started(): Parts {
  if (!parts) throw new Error('The server has not been started.');
  return parts;
}
