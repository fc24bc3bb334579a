import { expect, it, onTestFinished } from 'vitest';
import { createSessionsWith } from '../../packages/sessions/src/server/create-sessions.js';
import type { CreatePorts } from '../../packages/sessions/src/store/ports.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import type { MaybePromise } from '../../packages/sessions/src/time/promises.js';
import { inMemory2026, reachedFrom } from '../support/in-memory-client.js';
import { portsWith } from '../support/ports-with.js';
import { ISSUER, startTokenIssuer, withToken } from '../support/token-issuer.js';
import { named } from '../support/transcribed-server.js';

/** Interrupts one of the operations of a store: the test does something else before it. */
class Interruption {
  #operationsLeft = Number.POSITIVE_INFINITY;
  #interrupt: () => Promise<unknown> = async () => undefined;
  hasTakenPlace = false;

  /** Calls `interrupt` before the operation of this number, counted from now. */
  setAt(operation: number, interrupt: () => Promise<unknown>): void {
    this.#operationsLeft = operation;
    this.#interrupt = interrupt;
  }

  readonly createPorts: CreatePorts = portsWith(({ sessions }) => {
    const { get, visit, take } = sessions;
    sessions.get = this.#interrupted(get.bind(sessions));
    sessions.visit = this.#interrupted(visit.bind(sessions));
    sessions.take = this.#interrupted(take.bind(sessions));
    return {};
  });

  #interrupted<Given extends unknown[], T>(
    operation: (...given: Given) => MaybePromise<T>,
  ): (...given: Given) => Promise<T> {
    return async (...given) => {
      if (--this.#operationsLeft === 0) {
        this.hasTakenPlace = true;
        await this.#interrupt();
      }
      return operation(...given);
    };
  }
}

const CASES = (['open', 'bearer'] as const).flatMap((access) =>
  (['starts', 'comes back from its login'] as const).map((when) => [when, access] as const),
);

it.each(CASES)(
  'a call never runs for another user who logs in while it %s (%s access) [security 8, 10]',
  async (when, access) => {
    const isBearer = access === 'bearer';
    const issuer = startTokenIssuer();
    const ranFor: string[][] = [];
    // A request that is resolved after the login of the other user is one of theirs.
    let operations = when === 'starts' ? 1 : 0;
    for (let isOver = false; !isOver; ) {
      operations++;
      const interruption = new Interruption();
      const provider = new FaultingProvider({ fetch: issuer.fetch });
      const sessions = createSessionsWith(interruption.createPorts, {
        server: { name: 'test', version: '1' },
        publicUrl: 'http://127.0.0.1:3000',
        providers: provider.options,
        lifetimes: { shutdownDrainMs: 0 },
        runtime: { fetch: provider.fetch, clock: new VirtualClock() },
        ...(isBearer && { access: { issuer: ISSUER } }),
        tools: (server, context) => {
          const ran = async () => {
            const accounts = await context.session().accounts();
            ranFor.push(accounts.map(({ subject }) => subject));
            return { content: [] };
          };
          server.registerTool('act', {}, context.requireLogin(ran, { scopes: ['act'] }));
          server.registerTool('more', {}, context.requireLogin(ran, { scopes: ['more'] }));
        },
      });
      onTestFinished(() => sessions.close());
      const here = reachedFrom(sessions, '127.0.0.1');
      const asCaller = isBearer ? withToken(here, issuer.tokenOf('caller')) : here;
      const client = inMemory2026(asCaller);
      const logInAs = async (user: string, loginUrl: unknown) => logIn(here, loginUrl, { provider, user });
      const started = (await client.call('login')).structured;
      await logInAs('alice', started.loginUrl);
      const alice = named((await client.call('login', named(started))).structured);
      const interrupt = async (scope: string) => {
        const { loginUrl } = (await client.call('login', { ...alice, scopes: [scope] })).structured;
        interruption.setAt(operations, () => logInAs('bob', loginUrl));
      };
      const eliciting = inMemory2026(asCaller, async ({ url }) => {
        if (when === 'starts') return 'cancel';
        await logInAs('alice', url);
        await interrupt('more');
        return 'accept';
      });
      if (when === 'starts') await interrupt('act');
      await eliciting.call('act', alice);
      isOver = !interruption.hasTakenPlace;
    }
    expect(operations).toBeGreaterThan(3);
    expect(new Set(ranFor.flat())).toEqual(new Set(when === 'starts' ? [] : ['alice']));
  },
);
