import { onTestFinished } from 'vitest';
import { z } from 'zod';
import {
  createSessions,
  type ProviderOptions,
  type Runtime,
  type SessionEvent,
  type Sessions,
} from '../../packages/sessions/src/index.js';
import {
  FaultingProvider,
  type FaultingProviderOptions,
  logIn,
  VirtualClock,
} from '../../packages/sessions/src/testing/index.js';
import { type InMemoryClient, inMemory2025, inMemory2026, reachedFrom } from '../support/in-memory-client.js';
import { whileClockMoves } from '../support/moving-clock.js';
import type { ToolAnswer } from '../support/raw-mcp.js';
import { type Era, named } from '../support/transcribed-server.js';

export type LogEntry = Readonly<Record<string, unknown>>;

/** What a user and a model see of a login. */
interface SeenLogin {
  /** The text of the last page of a login that failed; `undefined` if it succeeded or did not get so far. */
  readonly page: string | undefined;
  /** The answer of `login` after that. */
  readonly answer: ToolAnswer;
}

/** A client that keeps the handle of its session. */
export class PlayedClient {
  readonly #play: Play;
  readonly #client: InMemoryClient;
  #names: Record<string, unknown> = {};
  /** Ends the session as the client's end does; absent in the 2026 era. */
  readonly end: (() => Promise<unknown>) | undefined;

  constructor(play: Play, client: InMemoryClient & { end?(): Promise<unknown> }) {
    this.#play = play;
    this.#client = client;
    this.end = client.end;
  }

  async call(tool: string, args: Record<string, unknown> = {}): Promise<ToolAnswer> {
    const answer = await this.#play.finish(this.#client.call(tool, { ...this.#names, ...args }));
    this.#names = { ...this.#names, ...named(answer.structured ?? {}) };
    return answer;
  }

  /** Forgets the handle of its session, as a client does that is told to. */
  forget(): void {
    this.#names = {};
  }

  /** Calls the tool `who`, which calls the provider's API. */
  async who(url = 'https://api.test/me'): Promise<string> {
    return (await this.call('who', { url })).text;
  }

  async status(): Promise<Readonly<Record<string, unknown>>> {
    return (await this.call('session_status')).structured;
  }

  /** Starts a login, completes it in the browser, and calls `login` again. */
  async logIn(user: string, args: Record<string, unknown> = {}): Promise<SeenLogin> {
    const started = await this.call('login', args);
    if (started.structured?.status !== 'pending') return { page: undefined, answer: started };
    const page = await this.#play.browse(started.structured.loginUrl, user);
    return { page, answer: await this.call('login') };
  }
}

interface Stage {
  /** Default: a new one. */
  readonly clock?: VirtualClock;
  readonly runtimeOf?: (provider: FaultingProvider, clock: VirtualClock) => Partial<Runtime>;
  /** Changes what clients and browsers receive. */
  readonly serve?: (handle: Sessions['handleRequest']) => Sessions['handleRequest'];
  /** Whether an event is kept. Default: each is. */
  readonly isHeard?: (event: SessionEvent) => boolean;
  /** Called with what ends the server. */
  readonly whenOver?: (close: () => Promise<void>) => void;
}

/** A server whose provider has quirks, without a network. */
export class Play {
  readonly clock: VirtualClock;
  readonly provider: FaultingProvider;
  readonly sessions: Sessions;
  readonly log: LogEntry[] = [];
  readonly events: SessionEvent[] = [];
  readonly #here: Pick<Sessions, 'handleRequest'>;
  readonly #movesClock: boolean;

  /**
   * @param optionsOf makes the server's options of the provider. Default: those that its quirks need
   * @param stage what is different about the server. Default: nothing, and it is closed when the test has ended
   */
  constructor(
    options: FaultingProviderOptions,
    optionsOf: (own: ProviderOptions) => ProviderOptions = (own) => own,
    stage: Stage = {},
  ) {
    const { clock: given, runtimeOf = () => ({}), whenOver = onTestFinished } = stage;
    const { serve = (handle) => handle, isHeard = () => true } = stage;
    const { log } = this;
    const clock = given ?? new VirtualClock();
    this.clock = clock;
    this.#movesClock = given === undefined;
    this.provider = new FaultingProvider({
      clock,
      api: (_request, user) => new Response(user, { status: user === undefined ? 401 : 200 }),
      ...options,
    });
    const write = (entry: object) => void log.push({ ...entry });
    this.sessions = createSessions({
      server: { name: 'notes', version: '1.0.0' },
      publicUrl: 'http://127.0.0.1:3000',
      providers: optionsOf(this.provider.options),
      lifetimes: { shutdownDrainMs: 0 },
      logger: { debug: write, info: write, warn: write, error: write },
      runtime: { fetch: this.provider.fetch, clock, ...runtimeOf(this.provider, clock) },
      tools: (server, context) => {
        server.registerTool(
          'who',
          { description: 'Names the user at the API.', inputSchema: z.object({ url: z.string() }) },
          async ({ url }) => {
            const session = context.session();
            const response = await session.fetch(url);
            const { fields = {} } = (await session.account()) ?? {};
            const text = `${response.status} ${await response.text()} ${JSON.stringify(fields)}`;
            return { content: [{ type: 'text', text }] };
          },
        );
        server.registerTool('account', { description: 'Shows the account.' }, async () => {
          const account = await context.session().account();
          return { content: [{ type: 'text', text: JSON.stringify(account ?? null) }] };
        });
        server.registerTool('rejected', { description: 'Says that the API rejects the token.' }, async () => {
          await context.session().tokenRejected();
          return { content: [{ type: 'text', text: 'renewed' }] };
        });
      },
    });
    this.sessions.onEvent((event) => {
      if (isHeard(event)) this.events.push(event);
    });
    this.#here = reachedFrom({ handleRequest: serve(this.sessions.handleRequest) }, '127.0.0.1');
    whenOver(() => this.finish(this.sessions.close()));
  }

  /** Lets the clock go on while a call is under way, unless the test has a clock of its own. */
  finish<T>(call: Promise<T>): Promise<T> {
    return this.#movesClock ? whileClockMoves(this.clock, call) : call;
  }

  handleRequest(request: Request): Promise<Response> {
    return this.#here.handleRequest(request);
  }

  async connect(era: Era): Promise<PlayedClient> {
    return new PlayedClient(
      this,
      await (era === '2025' ? inMemory2025(this.#here) : inMemory2026(this.#here)),
    );
  }

  /** @returns the text of the last page if the login failed */
  async browse(loginUrl: unknown, user: string): Promise<string | undefined> {
    try {
      await logIn(this.#here, loginUrl, { provider: this.provider, user });
      return undefined;
    } catch (error) {
      if (error instanceof Error && error.message.includes('The last page')) return error.message;
      throw error;
    }
  }

  /** The log lines about failed requests to the provider. */
  get failures(): LogEntry[] {
    return this.log.filter(({ event }) => event === 'provider.failed');
  }
}
