import { ResourceTemplate } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { eventually } from '../support/journal.js';
import { createLatch } from '../support/latch.js';
import { logIn } from '../support/raw-mcp.js';
import {
  connectRecorded,
  RECORDED_KINDS,
  type RecordedClient,
  type RecordedKind,
  SHARED_RESOURCE,
} from './recorded-clients.js';

/** The number of real clients of each kind. The others are raw, half of each era. */
const SDK_CLIENTS_PER_KIND = 4;
/** The number of simultaneous calls of each client. */
const QUESTIONS = 4;

/** Resolves when the expected number of calls has arrived. */
class Meeting {
  readonly #expected: number;
  readonly #all = createLatch();
  arrived = 0;

  constructor(expected: number) {
    this.#expected = expected;
  }

  join(): Promise<void> {
    if (++this.arrived === this.#expected) this.#all.open();
    return this.#all.opened;
  }
}

function kindsOf(count: number): RecordedKind[] {
  const [raw2025, raw2026, ...sdks] = RECORDED_KINDS;
  const real = sdks.flatMap((kind) => Array.from({ length: SDK_CLIENTS_PER_KIND }, () => kind));
  const raw = Array.from({ length: count - real.length }, (_, index) => (index % 2 ? raw2025 : raw2026));
  return [...real, ...raw];
}

/** Sends everything to the caller, each message with the caller's name. */
const ANSWERS = [
  'progress before of',
  'progress after of',
  'log before of',
  'log after of',
  'result of',
  'tool argument of',
  'tool error of',
  'resource of',
  'address of',
  'prompt of',
  'prompt argument of',
  'resource error of',
  'prompt error of',
];
/** The messages on the standalone stream of a 2025 client. */
const ON_ITS_OWN_STREAM = [
  'own stream before of',
  'own stream after of',
  'update before of',
  'update after of',
];

const expectedBy = ({ era }: RecordedClient) =>
  era === '2025' ? [...ANSWERS, ...ON_ITS_OWN_STREAM] : ANSWERS;

const everythingOf = (client: RecordedClient) => client.received().join('\n');

/** Starts clients, each with its own user, whose name is in all of the user's data. */
export function describeCrossover(count: number): void {
  const owners = new Map<string, Promise<string>>();

  /** The user of a token, requested from the API once: its speed does not matter here. */
  function ownerOf(accessToken: string): Promise<string> {
    const asked = owners.get(accessToken) ?? askForOwner(accessToken);
    owners.set(accessToken, asked);
    return asked;
  }

  async function askForOwner(accessToken: string): Promise<string> {
    const headers = { authorization: `Bearer ${accessToken}` };
    const response = await fetch(new URL('/me', notes.api.origin), { headers });
    return z.object({ subject: z.string() }).parse(await response.json()).subject;
  }

  const meetings = { questions: new Meeting(count * QUESTIONS), refusals: new Meeting(count * 2) };
  let notes: InProcessNotes;
  let users: { canary: string; client: RecordedClient }[];

  beforeAll(async () => {
    notes = await startInProcessNotes({
      tools: (server, context) => {
        server.server.registerCapabilities({ logging: {}, resources: { subscribe: true } });
        const whoIsIt = async (meeting: Meeting) => {
          await meeting.join();
          return context.session().withAccessToken(ownerOf);
        };

        server.registerTool(
          'speak',
          { description: 'Says whatever can be said.', inputSchema: z.object({ canary: z.string() }) },
          async ({ canary }, { mcpReq }) => {
            const say = async (when: string, name: string) => {
              const progressToken = mcpReq._meta?.progressToken ?? 'none';
              await mcpReq.notify({
                method: 'notifications/progress',
                params: {
                  progressToken,
                  progress: when === 'before' ? 1 : 2,
                  message: `progress ${when} of ${name}`,
                },
              });
              await mcpReq.log('info', `log ${when} of ${name}`);
              // These belong to no request, so that the SDK sends them on the standalone stream.
              await server.server.sendLoggingMessage({
                level: 'info',
                data: `own stream ${when} of ${name}`,
              });
              await server.server.sendResourceUpdated({
                uri: SHARED_RESOURCE,
                _meta: { note: `update ${when} of ${name}` },
              });
            };
            await say('before', canary);
            const name = await whoIsIt(meetings.questions);
            await say('after', name);
            return { content: [{ type: 'text', text: `result of ${name}, tool argument of ${canary}` }] };
          },
        );
        server.registerTool('fail', { description: 'Fails.' }, async () => {
          throw new Error(`tool error of ${await whoIsIt(meetings.questions)}`);
        });
        server.registerResource(
          'canary',
          new ResourceTemplate('canary://of/{canary}', { list: undefined }),
          { description: 'The owner of the canary.' },
          async (uri, { canary }) => {
            const name = await whoIsIt(meetings.questions);
            return { contents: [{ uri: uri.href, text: `resource of ${name}, address of ${canary}` }] };
          },
        );
        server.registerResource(
          'forbidden',
          'canary://forbidden',
          { description: 'Cannot be read.' },
          async () => {
            throw new Error(`resource error of ${await whoIsIt(meetings.refusals)}`);
          },
        );
        server.registerPrompt(
          'canary',
          { description: 'The owner of the canary.', argsSchema: z.object({ canary: z.string() }) },
          async ({ canary }) => {
            const text = `prompt of ${await whoIsIt(meetings.questions)}, prompt argument of ${canary}`;
            return { messages: [{ role: 'user', content: { type: 'text', text } }] };
          },
        );
        server.registerPrompt('forbidden', { description: 'Cannot be had.' }, async () => {
          throw new Error(`prompt error of ${await whoIsIt(meetings.refusals)}`);
        });
      },
    });
    users = await Promise.all(
      kindsOf(count).map(async (kind, index) => {
        const canary = `canary-${String(index).padStart(3, '0')}`;
        const client = await connectRecorded(kind, notes.mcp);
        return { canary, client: await logIn(client, new Browser(), canary) };
      }),
    );
  });

  afterAll(() => notes.close());

  /** The messages that a client should have received but has not. */
  function missingFor({ canary, client }: (typeof users)[number]): string[] {
    const seen = everythingOf(client);
    return expectedBy(client).filter((what) => !seen.includes(`${what} ${canary}`));
  }

  // Each step continues from the one before.
  describe(`${count} simultaneous clients of both eras with identical JSON-RPC ids and progress tokens`, () => {
    it('have one session each', () => {
      const raw = users.filter(({ client }) => client.isRaw);
      expect(new Set(raw.map(({ client }) => client.secret)).size).toBe(count - 4 * SDK_CLIENTS_PER_KIND);
      expect(new Set(users.map(({ client }) => client.kind))).toEqual(new Set(RECORDED_KINDS));
    });

    it('[security 8] receive all of their own results, errors and notifications', async () => {
      await Promise.all(
        users.flatMap(({ canary, client }) => [
          client.request('tools/call', { name: 'speak', arguments: { canary } }, 101),
          client.request('tools/call', { name: 'fail', arguments: {} }, 102),
          client.request('resources/read', { uri: `canary://of/${canary}` }, 103),
          client.request('prompts/get', { name: 'canary', arguments: { canary } }, 104),
        ]),
      );
      await Promise.all(
        users.flatMap(({ client }) => [
          client.request('resources/read', { uri: 'canary://forbidden' }, 101),
          client.request('prompts/get', { name: 'forbidden' }, 102),
        ]),
      );
      expect([meetings.questions.arrived, meetings.refusals.arrived]).toEqual([count * QUESTIONS, count * 2]);
      // Notifications without a request have no acknowledgement. The assertion below shows missing ones.
      await eventually('the streams of all', async () => {
        return users.every((user) => missingFor(user).length === 0) || undefined;
      }).catch(() => undefined);
      expect(users.map((user) => ({ kind: user.client.kind, missing: missingFor(user) }))).toEqual(
        users.map(({ client }) => ({ kind: client.kind, missing: [] })),
      );
    });

    it('[security 8] write data that only they can read', async () => {
      await Promise.all(
        users.map(async ({ canary, client }) => {
          const answers = await Promise.all([
            client.call('add_note', { text: `note of ${canary}` }),
            client.call('session_status'),
          ]);
          const [note, status] = answers.map(({ structured }) => structured);
          expect(note).toMatchObject({ id: 1, text: `note of ${canary}` });
          expect(status).toMatchObject({ accounts: [{ subject: canary }] });
          const { structured } = await client.call('list_notes');
          expect(structured.notes).toMatchObject([{ text: `note of ${canary}` }]);
        }),
      );
    });

    it('[security 8] receive no byte of another client', async () => {
      await Promise.all(users.map(({ client }) => client.close()));
      for (const { canary, client } of users) {
        const seen = everythingOf(client);
        expect(new Set(seen.match(/canary-\d+/g))).toEqual(new Set([canary]));
        const foreign = users.filter((other) => other.client !== client && other.client.secret);
        const secrets = new Set(foreign.map((other) => other.client.secret));
        const leaked = (seen.match(/[\w-]{43,}/g) ?? []).filter((word) => secrets.has(word));
        expect(leaked).toEqual([]);
      }
      const listeners = users.filter(({ client }) => client.kind === 'raw 2026');
      const acknowledged = listeners.filter(({ client }) =>
        everythingOf(client).includes('notifications/subscriptions/acknowledged'),
      );
      expect(acknowledged).toHaveLength(listeners.length);
    });
  });
}
