import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { type AccountStatus, accountStatus } from '../../account/account-status.js';
import type { Logins } from '../../login/logins.js';
import type { PendingLogin } from '../../login/pending-login.js';
import { omitUndefined } from '../../omit-undefined.js';
import { idleAtMs, type Lifetimes } from '../../session/lifetimes.js';
import { isSignedIn, type SessionRecord, snapshotOf } from '../../session/session-record.js';
import type { SessionRegistry } from '../../session/session-registry.js';
import type { Clock } from '../../time/clock.js';
import type { RequestContexts } from '../request/context.js';
import { nextStep, type SessionLogins } from './status-texts.js';
import { structuredResult } from './tool-result.js';

export interface SessionStatusToolOptions {
  readonly contexts: RequestContexts;
  readonly registry: SessionRegistry;
  readonly logins: Logins;
  readonly lifetimes: Lifetimes;
  readonly clock: Clock;
  readonly providers: readonly string[];
}

type SessionState = 'anonymous' | AccountStatus['state'];

const outputSchema = z.object({
  state: z
    .enum(['anonymous', 'pending', 'authenticated', 'expired', 'reauthentication_required'])
    .describe('The worst state of the accounts.'),
  signedOut: z
    .enum(['logout', 'idle', 'absolute', 'disconnect', 'operator', 'account_cap', 'provider_logout'])
    .optional()
    .describe('Why the last login ended.'),
  accounts: z.array(
    z.object({
      provider: z.string(),
      state: z
        .enum(['pending', 'authenticated', 'expired', 'reauthentication_required'])
        .describe('expired: the access token has expired and could not be renewed so far.'),
      reason: z.string().optional().describe('The category of the last failure.'),
      subject: z.string().optional(),
      name: z.string().optional(),
      scopes: z.array(z.string()).optional(),
      refusedScopes: z
        .array(z.string())
        .optional()
        .describe('The scopes that the user or the provider did not grant.'),
      requiresStepUp: z
        .boolean()
        .optional()
        .describe('Whether an API requires more scopes, or a stronger login.'),
      requiredScopes: z.array(z.string()).optional().describe('The scopes that an API requires.'),
      accessTokenExpiresInSeconds: z.number().optional(),
      refreshExpiresInSeconds: z.number().optional().describe('When the refresh token expires.'),
      nextRefreshInSeconds: z.number().optional().describe('Absent if the token cannot be refreshed.'),
    }),
  ),
  idleExpiresInSeconds: z.number().optional().describe('When the login ends if there is no call until then.'),
  sessionExpiresInSeconds: z
    .number()
    .describe('When the login ends in any case; without a login, when this session ends.'),
  next: z.string().describe('What to do now.'),
});

/** Registers the tool `session_status`. */
export function registerSessionStatusTool(server: McpServer, options: SessionStatusToolOptions): void {
  server.registerTool(
    'session_status',
    {
      title: 'Session status',
      description:
        'Returns who is logged in, how long the login lasts, and what to do next. Changes nothing.',
      outputSchema,
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
    },
    async () => structuredResult(await currentStatus(options)),
  );
}

/** The status of the session that the current request names. */
export async function currentStatus(options: SessionStatusToolOptions): Promise<Record<string, unknown>> {
  const { resolved } = options.contexts.get();
  const record = resolved.state === 'live' ? await options.registry.get(resolved.record.ref) : undefined;
  return record ? await describe(options, record) : anonymousStatus();
}

function anonymousStatus(): Record<string, unknown> {
  return {
    state: 'anonymous',
    accounts: [],
    sessionExpiresInSeconds: 0,
    next: 'Call `login` to log in. If you have a `session` from an earlier login, pass it.',
  };
}

async function describe(
  options: SessionStatusToolOptions,
  record: SessionRecord,
): Promise<Record<string, unknown>> {
  const { registry, lifetimes, clock } = options;
  const now = clock.now();
  const logins = await loginsOf(options, record);
  const accounts = accountsOf(options.providers, record, logins.pending, now);
  const state = worst(accounts.map((account) => account.state));
  // Ignores requests in flight: this request is one of them.
  const presence = { ...registry.presenceOf(record.ref), requests: 0 };
  const seconds = (atMs: number) => Math.max(0, Math.round((atMs - now) / 1000));
  const idle =
    isSignedIn(record) && record.kind !== 'pending-handle'
      ? idleAtMs(record, presence, lifetimes)
      : undefined;
  return omitUndefined({
    state,
    signedOut: record.signedOut,
    accounts,
    idleExpiresInSeconds: idle === undefined ? undefined : seconds(idle),
    sessionExpiresInSeconds: seconds(endsAtMs(record, lifetimes, now)),
    next: nextStep(record, accounts, logins, options.providers),
  });
}

function endsAtMs(record: SessionRecord, lifetimes: Lifetimes, now: number): number {
  if (record.kind === 'pending-handle') return record.lastRequestAtMs + lifetimes.loginAttemptMs;
  return record.signedInAtMs === undefined
    ? now + lifetimes.connectionTtlMs
    : record.signedInAtMs + lifetimes.absoluteMs;
}

async function loginsOf(
  { providers, logins }: SessionStatusToolOptions,
  record: SessionRecord,
): Promise<SessionLogins> {
  const snapshot = snapshotOf(record);
  const pending = await Promise.all(providers.map((provider) => logins.pending(record.ref, provider)));
  const failed = await Promise.all(
    providers.map(async (provider) => {
      const fault = await logins.failureOf(snapshot, provider);
      return fault && { provider, fault };
    }),
  );
  return {
    pending: pending.filter((login) => login !== undefined),
    failed: failed.filter((login) => login !== undefined),
  };
}

function accountsOf(
  providers: readonly string[],
  record: SessionRecord,
  pendingLogins: readonly PendingLogin[],
  now: number,
): AccountStatus[] {
  return providers.flatMap((provider): AccountStatus[] => {
    const account = record.accounts[provider];
    const status = account && accountStatus(account, now);
    const isGood = status?.state === 'authenticated';
    if (isGood && record.kind !== 'pending-handle') return [status];
    const isPending = isGood || pendingLogins.some((login) => login.provider === provider);
    if (isPending) return [{ provider, state: 'pending' }];
    return status ? [status] : [];
  });
}

function worst(states: readonly SessionState[]): SessionState {
  const order: readonly SessionState[] = ['reauthentication_required', 'pending', 'expired', 'authenticated'];
  return order.find((state) => states.includes(state)) ?? 'anonymous';
}
