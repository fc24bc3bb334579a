import { omitUndefined } from '../omit-undefined.js';
import type { AccountTokens, UnsealedAccount } from '../session/account-tokens.js';
import type { Disposal } from '../session/disposal.js';
import type { GrantsInUse } from '../session/grants-in-use.js';
import type { MintedSession } from '../session/minting.js';
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
import type { Clock } from '../time/clock.js';
import { andThen, type MaybePromise } from '../time/promises.js';
import { type RandomSource, randomNumber } from '../vault/random.js';
import { wipeTokenSet } from '../vault/token-set.js';
import { kindOfClaims } from './challenge.js';
import type { GrantedTokens } from './refresh/granted-tokens.js';
import { type TokenTimes, tokenTimes } from './refresh/window.js';

export interface AddedAccountsOptions {
  readonly registry: SessionRegistry;
  readonly tokens: AccountTokens;
  readonly disposal: Disposal;
  readonly grantsInUse: Pick<GrantsInUse, 'hold'>;
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
  const { grantId } = hold ?? { grantId: newGrantId(random) };
  const added = { ...accountOf(granted, { provider, ...identity }, times, clock.now()), grantId };
  let sealed: AccountRecord | undefined;
  const change: SessionChange = (record) => {
    tokens.wipe(sealed);
    if (record.epoch !== snapshot.epoch) return undefined;
    const generation = record.generation + 1;
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
    void disposal.revoke(snapshot, { provider, subject: identity.subject, grantId }, granted.tokens);
  };
  const isDone = ({ accounts }: SessionRecord) => accounts[provider]?.grantId === grantId;
  // The code of the login is used up.
  const lasting = { isDone, isLasting: true };
  const changed = await registry.update(snapshot.ref, change, lasting).catch(async (error: unknown) => {
    // If the session has the account, its grant is in use, and the tokens are not revoked.
    if (!(await mayBeAdded(registry, snapshot, isDone))) await hold?.release();
    discard();
    throw error;
  });
  const account = changed?.after.accounts[provider];
  if (!changed || !account) {
    await hold?.release();
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

/** Whether a session has an account, or that is not known. */
async function mayBeAdded(
  registry: SessionRegistry,
  { ref }: SessionSnapshot,
  isAdded: (record: SessionRecord) => boolean,
): Promise<boolean> {
  try {
    const record = await registry.get(ref);
    return record !== undefined && isAdded(record);
  } catch {
    return true;
  }
}

/** The changes before the login of another user. The former user knows the handle, so it becomes a pending one. */
function otherUserOf(record: SessionRecord): Partial<SessionRecord> {
  return { ...signOutOf(record), ...(record.kind === 'handle' && { kind: 'pending-handle' }) };
}

/** A number for the grant of a login. */
export function newGrantId(random: RandomSource): number {
  return randomNumber(random);
}

/** Moves the accounts of a pending handle to a new session (`Accounts.promote`). */
export async function promote(
  options: AddedAccountsOptions,
  pending: SessionRecord,
): Promise<MintedSession | undefined> {
  const { registry, events, grantsInUse } = options;
  const endHold = grantsInUse.hold(pending);
  try {
    const promoted = await andThen(
      registry.retire(pending.ref),
      (retired) => retired && move(options, retired, endHold),
    );
    if (!promoted) return undefined;
    const { record } = promoted;
    for (const { provider, subject, generation, refreshAtMs } of Object.values(record.accounts)) {
      const moved = { provider, subject, generation, refreshAtMs };
      events.emit({ type: 'account.moved', ...snapshotOf(record), ...moved });
    }
    return promoted;
  } finally {
    endHold();
  }
}

/**
 * Starts a session with the accounts of one that was removed, or disposes of them. If the store answers at once, no
 * other code runs in between: the accounts are in one of both sessions.
 */
function move(
  { registry, disposal, tokens, clock }: AddedAccountsOptions,
  retired: SessionRecord,
  endHold: () => void,
): MaybePromise<MintedSession> {
  const { generation, formerSubjects, signedInAtMs = clock.now() } = retired;
  let sealed = retired;
  const discard = (error: unknown): never => {
    endHold();
    void disposal.dispose(sealed, Object.values(sealed.accounts));
    throw error;
  };
  try {
    const started = registry.startWith('handle', retired.owner, (blank) => {
      const accounts = tokens.move(retired, blank);
      sealed = { ...blank, accounts };
      return { accounts, formerSubjects, generation, signedInAtMs };
    });
    return started instanceof Promise ? started.catch(discard) : started;
  } catch (error) {
    return discard(error);
  }
}
