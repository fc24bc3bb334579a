import { omitUndefined } from '../omit-undefined.js';
import type { AccountTokens, UnsealedAccount } from '../session/account-tokens.js';
import type { Disposal } from '../session/disposal.js';
import type { SessionId } from '../session/ids.js';
import type { SessionEvents } from '../session/session-events.js';
import {
  type AccountRecord,
  isOtherUser,
  type SessionRecord,
  type SessionSnapshot,
  signOutOf,
  snapshotOf,
} from '../session/session-record.js';
import type { SessionChange } from '../session/session-records.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { SharedGrants } from '../session/shared-grants.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';
import { wipeTokenSet } from '../vault/token-set.js';
import { kindOfClaims } from './challenge.js';
import type { GrantedTokens } from './refresh/granted-tokens.js';
import { type TokenTimes, tokenTimes } from './refresh/window.js';

export interface AddedAccountsOptions {
  readonly registry: SessionRegistry;
  readonly tokens: AccountTokens;
  readonly disposal: Disposal;
  readonly sharedGrants: Pick<SharedGrants, 'beginMove' | 'endMove'>;
  readonly events: SessionEvents;
  readonly clock: Clock;
  /** A random number from 0 to 1, for jitter. */
  readonly fraction: () => number;
  readonly random: RandomSource;
}

/** The account of a login whose tokens are not sealed yet. */
function accountOf(
  granted: GrantedTokens,
  { provider, subject, name }: Pick<AccountRecord, 'provider' | 'subject' | 'name'>,
  times: TokenTimes,
  nowMs: number,
): Omit<UnsealedAccount, 'generation' | 'grantId'> {
  const { scopes = [], requestedScopes, requestedClaims } = granted;
  const { fields, apiOrigin, openIdSubject, providerSession } = granted;
  const refusedScopes = requestedScopes?.filter((scope) => !scopes.includes(scope)) ?? [];
  return {
    provider,
    state: 'authenticated',
    subject,
    name,
    scopes,
    ...(refusedScopes.length > 0 && { refusedScopes }),
    ...(requestedClaims !== undefined && {
      answeredClaims: { kind: kindOfClaims(requestedClaims), atMs: nowMs },
    }),
    hasRefreshToken: granted.tokens.refreshToken !== undefined,
    ...times,
    ...omitUndefined({ fields, apiOrigin, openIdSubject, providerSession }),
  };
}

/** Adds the account of a login to its session (`Accounts.commitLogin`). */
export async function commitLogin(
  options: AddedAccountsOptions,
  snapshot: SessionSnapshot,
  provider: string,
  granted: GrantedTokens,
): Promise<number | undefined> {
  const { registry, events, disposal, tokens, clock, fraction, random } = options;
  const { identity, hold } = granted;
  if (!identity) throw new Error('A login without an identity cannot be committed.');
  const times = tokenTimes(granted, {}, granted.tokens.refreshToken !== undefined, fraction());
  const grantId = random(6).readUIntBE(0, 6);
  const added = { ...accountOf(granted, { provider, ...identity }, times, clock.now()), grantId };
  let sealed: AccountRecord | undefined;
  const change: SessionChange = (record) => {
    tokens.wipe(sealed);
    if (record.epoch !== snapshot.epoch) return undefined;
    const generation = record.generation + 1;
    hold?.commitAs(generation);
    sealed = tokens.seal(record, { ...added, generation }, granted.tokens);
    const signOut = isOtherUser(record, provider, identity.subject) ? otherUserOf(record) : undefined;
    const { accounts, signedInAtMs = clock.now() } = { ...record, ...signOut };
    return {
      ...signOut,
      generation,
      accounts: { ...accounts, [provider]: sealed },
      signedInAtMs,
      signedOut: undefined,
    };
  };
  const discard = () => {
    tokens.wipe(sealed);
    hold?.release();
    void disposal.revoke(snapshot, { provider, ...identity }, granted.tokens);
  };
  const isDone = ({ accounts }: SessionRecord) => accounts[provider]?.grantId === grantId;
  const changed = await registry.update(snapshot.ref, change, isDone).catch((error: unknown) => {
    discard();
    throw error;
  });
  const account = changed?.after.accounts[provider];
  if (!changed || !account) {
    discard();
    return undefined;
  }
  wipeTokenSet(granted.tokens);
  const { generation, refreshAtMs } = account;
  const { subject } = identity;
  events.emit({
    type: 'account.authenticated',
    ...snapshotOf(changed.after),
    provider,
    subject,
    generation,
    refreshAtMs,
  });
  hold?.release();
  const { nonconformance } = granted;
  if (nonconformance) {
    const session = snapshotOf(changed.after);
    events.emit({ type: 'account.nonconforming_answer', ...session, provider, subject, nonconformance });
  }
  const replaced = changed.before.accounts[provider];
  // A sign-out has disposed of all accounts.
  if (replaced && changed.after.epoch === snapshot.epoch) void disposal.dispose(changed.before, [replaced]);
  return generation;
}

/** The changes before the login of another user. The former user knows the handle, so it becomes a pending one. */
function otherUserOf(record: SessionRecord): Partial<SessionRecord> {
  return { ...signOutOf(record), ...(record.kind === 'handle' && { kind: 'pending-handle' }) };
}

/** Moves the accounts of a pending handle to a new session (`Accounts.promote`). */
export async function promote(
  { registry, disposal, sharedGrants, tokens, events, clock }: AddedAccountsOptions,
  pending: SessionRecord,
): Promise<{ id: SessionId; record: SessionRecord } | undefined> {
  const move = sharedGrants.beginMove(pending.ref);
  const discard = (record: SessionRecord, accounts: SessionRecord['accounts']) => {
    sharedGrants.endMove(move);
    void disposal.dispose(record, Object.values(accounts));
  };
  try {
    const retired = await registry.retire(pending.ref);
    if (!retired) return undefined;
    const started = await registry.start('handle', retired.owner).catch((error: unknown) => {
      discard(retired, retired.accounts);
      throw error;
    });
    move.to = started.record.ref;
    const accounts = tokens.move(retired, started.record);
    const signedInAtMs = retired.signedInAtMs ?? clock.now();
    const { generation, formerSubjects } = retired;
    const change: SessionChange = () => ({ accounts, formerSubjects, generation, signedInAtMs });
    const changed = await registry.update(started.record.ref, change).catch((error: unknown) => {
      discard(started.record, accounts);
      throw error;
    });
    if (!changed) {
      discard(started.record, accounts);
      return undefined;
    }
    const record = changed.after;
    for (const { provider, subject, generation, refreshAtMs } of Object.values(accounts)) {
      const moved = { provider, subject, generation, refreshAtMs };
      events.emit({ type: 'account.moved', ...snapshotOf(record), ...moved });
    }
    return { id: started.id, record };
  } finally {
    sharedGrants.endMove(move);
  }
}
