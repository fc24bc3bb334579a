import { expect } from 'vitest';
import {
  createSessions,
  type ProviderOptions,
  type Sessions,
  type SessionsOptions,
} from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { type InMemoryClient, inMemory2025, inMemory2026, reachedFrom } from './in-memory-client.js';
import type { Transcript } from './transcript.js';

export const ERAS = ['2025', '2026'] as const;
export type Era = (typeof ERAS)[number];

/** A server without a network, whose clock stands still until it is told to go on. */
export interface TranscribedServer {
  readonly sessions: Sessions;
  /** The server as this machine reaches it: its logins need no code. */
  readonly here: Pick<Sessions, 'handleRequest'>;
  readonly clock: VirtualClock;
  readonly provider: FaultingProvider;
  /** A client that cannot be asked to open addresses. */
  clientOf(era: Era): Promise<InMemoryClient>;
  /** The user's browser follows a link as `user`. @returns the confirmation code that it shows */
  browse(loginUrl: unknown, user?: string): Promise<string>;
}

type Change = Omit<Partial<SessionsOptions>, 'providers'> & {
  /** What is different about the providers, of which there is one by default. */
  readonly providers?: readonly Partial<ProviderOptions>[];
};

export function startTranscribed({ providers = [{}], ...change }: Change = {}): TranscribedServer {
  const clock = new VirtualClock();
  const provider = new FaultingProvider();
  const sessions = createSessions({
    server: { name: 'notes', version: '1.0.0' },
    publicUrl: 'http://127.0.0.1:3000',
    providers: providers.map((each) => ({ ...provider.options, ...each })),
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch, clock },
    tools: (server, context) => {
      server.registerTool(
        'list_notes',
        { description: 'Lists the notes of the user.' },
        context.requireLogin(async () => {
          await context.session().fetch('https://api.test/notes');
          return { content: [{ type: 'text' as const, text: '{"notes":[]}' }] };
        }),
      );
    },
    ...change,
  });
  return {
    sessions,
    here: reachedFrom(sessions, '127.0.0.1'),
    clock,
    provider,
    clientOf: async (era) => (era === '2025' ? inMemory2025(sessions) : inMemory2026(sessions)),
    async browse(loginUrl, user = 'alice') {
      const { code } = await logIn(sessions, loginUrl, { provider, user });
      return code ?? '';
    },
  };
}

/** The user's browser follows a link, and presses a button on the page there. */
export async function press(
  button: 'continue' | 'decline',
  server: Pick<Sessions, 'handleRequest'>,
  loginUrl: unknown,
): Promise<void> {
  const url = String(loginUrl);
  const page = await server.handleRequest(new Request(url));
  const form = /name="form" value="([^"]*)"/.exec(await page.text())?.[1] ?? '';
  const cookie = page.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ');
  const headers = { cookie, origin: new URL(url).origin };
  const body = new URLSearchParams({ form, action: button });
  await server.handleRequest(new Request(url, { method: 'POST', headers, body }));
}

/** The arguments that name a session, where there are handles. */
export function named({ session }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return session === undefined ? {} : { session };
}

/** Compares a transcript to the one that is kept; `vitest -u` keeps this one instead. */
export async function isKept(transcript: Transcript, name: string): Promise<void> {
  const url = new URL(`../e2e/transcripts/${name}.md`, import.meta.url);
  await expect(transcript.toString()).toMatchFileSnapshot(url.pathname);
}
