import type { AccountRecord, SessionRecord } from '../../session/session-record.js';
import type { SealedRecord } from '../../vault/vault.js';

/** The fields of a record that are not packed, because requests change them. */
export type InColumns = 'version' | 'lastRequestAtMs' | 'dueAtMs';
/** A record without them, with all of its optional fields. */
export type Unpacked = Complete<Omit<SessionRecord, InColumns>>;

/** All fields of a type, the optional ones included. */
export type Complete<T> = { readonly [Name in keyof Required<T>]: T[Name] };

/** The names of fields take no space, nor do fields at the end that are absent: those are last that few sessions have. */
export type PackedRecord = readonly [
  ref: Unpacked['ref'],
  accounts: readonly PackedAccount[],
  kind: Unpacked['kind'],
  owner: Unpacked['owner'],
  createdAtMs: Unpacked['createdAtMs'],
  epoch: Unpacked['epoch'],
  generation: Unpacked['generation'],
  quotaKey: Unpacked['quotaKey'],
  signedInAtMs: Unpacked['signedInAtMs'],
  signedOut: Unpacked['signedOut'],
  subjectKey: Unpacked['subjectKey'],
  session: Unpacked['session'],
  state: readonly [place: number, version: number] | undefined,
  formerSubjects: Unpacked['formerSubjects'],
  isExpiryAnnounced: Unpacked['isExpiryAnnounced'],
];

type PackedAccount = readonly [
  place: number | undefined,
  provider: AccountRecord['provider'],
  state: AccountRecord['state'],
  generation: AccountRecord['generation'],
  grantId: AccountRecord['grantId'],
  subject: AccountRecord['subject'],
  name: AccountRecord['name'],
  scopes: AccountRecord['scopes'],
  hasRefreshToken: AccountRecord['hasRefreshToken'],
  expiresAtMs: AccountRecord['expiresAtMs'],
  refreshAtMs: AccountRecord['refreshAtMs'],
  lifetimeMs: AccountRecord['lifetimeMs'],
  refreshExpiresAtMs: AccountRecord['refreshExpiresAtMs'],
  openIdSubject: AccountRecord['openIdSubject'],
  providerSession: AccountRecord['providerSession'],
  fields: AccountRecord['fields'],
  refusedScopes: AccountRecord['refusedScopes'],
  failures: AccountRecord['failures'],
  failureReason: AccountRecord['failureReason'],
  claim: AccountRecord['claim'],
  apiOrigin: AccountRecord['apiOrigin'],
  stepUp: AccountRecord['stepUp'],
  refusal: AccountRecord['refusal'],
  answeredClaims: AccountRecord['answeredClaims'],
  tokenRejected: AccountRecord['tokenRejected'],
  isExpiryAnnounced: AccountRecord['isExpiryAnnounced'],
];

/** @param placeOf the place of a sealed record */
export function packedOf(
  record: Omit<SessionRecord, InColumns>,
  placeOf: (sealed: SealedRecord) => number,
): PackedRecord {
  const { accounts, state } = record;
  return [
    record.ref,
    Object.values(accounts).map((account) => packedAccountOf(account, placeOf)),
    record.kind,
    record.owner,
    record.createdAtMs,
    record.epoch,
    record.generation,
    record.quotaKey,
    record.signedInAtMs,
    record.signedOut,
    record.subjectKey,
    record.session,
    state && [placeOf(state.sealed), state.version],
    record.formerSubjects,
    record.isExpiryAnnounced,
  ];
}

function packedAccountOf(account: AccountRecord, placeOf: (sealed: SealedRecord) => number): PackedAccount {
  return [
    account.sealed && placeOf(account.sealed),
    account.provider,
    account.state,
    account.generation,
    account.grantId,
    account.subject,
    account.name,
    account.scopes,
    account.hasRefreshToken,
    account.expiresAtMs,
    account.refreshAtMs,
    account.lifetimeMs,
    account.refreshExpiresAtMs,
    account.openIdSubject,
    account.providerSession,
    account.fields,
    account.refusedScopes,
    account.failures,
    account.failureReason,
    account.claim,
    account.apiOrigin,
    account.stepUp,
    account.refusal,
    account.answeredClaims,
    account.tokenRejected,
    account.isExpiryAnnounced,
  ];
}

/** The record that was packed. Literals, because objects whose fields are set by name take three times as long. */
export function unpackedOf(packed: PackedRecord, sealedAt: (place: number) => SealedRecord): Unpacked {
  const state = packed[12];
  return {
    ref: packed[0],
    accounts: accountsOf(packed[1], sealedAt),
    kind: packed[2],
    owner: packed[3],
    createdAtMs: packed[4],
    epoch: packed[5],
    generation: packed[6],
    quotaKey: packed[7],
    signedInAtMs: packed[8],
    signedOut: packed[9],
    subjectKey: packed[10],
    session: packed[11],
    state: state && { version: state[1], sealed: sealedAt(state[0]) },
    formerSubjects: packed[13],
    isExpiryAnnounced: packed[14],
  };
}

function accountsOf(
  packed: readonly PackedAccount[],
  sealedAt: (place: number) => SealedRecord,
): Unpacked['accounts'] {
  const [only] = packed;
  // Usually there is one, which takes a fraction of the time.
  if (only && packed.length === 1) return { [only[1]]: accountOf(only, sealedAt) };
  return Object.fromEntries(packed.map((account) => [account[1], accountOf(account, sealedAt)]));
}

function accountOf(
  account: PackedAccount,
  sealedAt: (place: number) => SealedRecord,
): Complete<AccountRecord> {
  const place = account[0];
  return {
    sealed: place === undefined ? undefined : sealedAt(place),
    provider: account[1],
    state: account[2],
    generation: account[3],
    grantId: account[4],
    subject: account[5],
    name: account[6],
    scopes: account[7],
    hasRefreshToken: account[8],
    expiresAtMs: account[9],
    refreshAtMs: account[10],
    lifetimeMs: account[11],
    refreshExpiresAtMs: account[12],
    openIdSubject: account[13],
    providerSession: account[14],
    fields: account[15],
    refusedScopes: account[16],
    failures: account[17],
    failureReason: account[18],
    claim: account[19],
    apiOrigin: account[20],
    stepUp: account[21],
    refusal: account[22],
    answeredClaims: account[23],
    tokenRejected: account[24],
    isExpiryAnnounced: account[25],
  };
}
