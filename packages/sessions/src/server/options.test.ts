import { describe, expectTypeOf, it } from 'vitest';
import type { ProviderOptions, Session, ToolContext } from '../index.js';
import type { createSessions } from './create-sessions.js';
import type { SessionsOptions } from './options.js';

const server = { name: 'test', version: '1.0.0' };
const registration = { issuer: 'https://id.example.com', clientId: 'test' };

/** Infers as `createSessions` does, and creates nothing. */
const inferred: typeof createSessions = () => undefined as never;

describe('the names of providers', () => {
  it('are known to the context of the tools', () => {
    inferred({
      server,
      providers: [
        { ...registration, name: 'github' },
        { ...registration, name: 'calendar' },
      ],
      tools: (_server, context) => {
        expectTypeOf(context).toEqualTypeOf<ToolContext<'github' | 'calendar'>>();
        expectTypeOf(context.session()).toEqualTypeOf<Session<'github' | 'calendar'>>();
        const handler = context.requireLogin(async () => 'done', { provider: 'calendar' });
        expectTypeOf(handler).toEqualTypeOf<() => Promise<string>>();
        // @ts-expect-error There is no provider of that name.
        context.requireLogin(handler, { provider: 'githb' });
        // @ts-expect-error There is no provider of that name.
        void context.session().account('githb');
        const use = async () => undefined;
        // @ts-expect-error There is no provider of that name.
        void context.session().withAccessToken(use, { provider: 'githb' });
      },
    });
  });

  it('are any text if the providers have none, or come from a configuration', () => {
    const tools = (_server: unknown, context: ToolContext) =>
      void context.requireLogin(() => 'done', { provider: 'any' });
    inferred({
      server,
      providers: registration,
      tools: (_server, context) => expectTypeOf(context).toEqualTypeOf<ToolContext>(),
    });
    inferred({ server, providers: [{ ...registration, name: 'read'.toLowerCase() }], tools });
    expectTypeOf<SessionsOptions['tools']>().parameter(1).toEqualTypeOf<ToolContext>();
  });

  it('are any text if one of them is the default name, the host of the issuer', () => {
    inferred({
      server,
      providers: [registration, { ...registration, name: 'github' }],
      tools: (_server, context) => {
        expectTypeOf(context).toEqualTypeOf<ToolContext>();
        context.requireLogin(() => 'done', { provider: 'id.example.com' });
        void context.session().account('id.example.com');
      },
    });
    const several: readonly ProviderOptions[] = [registration, { ...registration, name: 'github' }];
    inferred({
      server,
      providers: several,
      tools: (_server, context) => expectTypeOf(context).toEqualTypeOf<ToolContext>(),
    });
    inferred({
      server,
      providers: [
        { ...registration, name: undefined },
        { ...registration, name: 'github' },
      ],
      tools: (_server, context) => expectTypeOf(context).toEqualTypeOf<ToolContext>(),
    });
  });

  it('are known of a single provider, too', () => {
    inferred({
      server,
      providers: { ...registration, name: 'github' },
      tools: (_server, context) => expectTypeOf(context).toEqualTypeOf<ToolContext<'github'>>(),
    });
  });

  it('accept tools that were written for any provider', () => {
    const tools = (_server: unknown, context: ToolContext) =>
      void context.requireLogin(() => 'done', { provider: 'any' });
    inferred({ server, providers: { ...registration, name: 'github' }, tools });
  });

  it('leave misspelled options of a provider a type error', () => {
    const tools = () => undefined;
    // @ts-expect-error The option is `scopes`.
    inferred({ server, providers: { ...registration, name: 'github', scope: [] }, tools });
  });
});
