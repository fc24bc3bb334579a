import type { SessionRef } from './ids.js';
import { type AccountRecord, accountKeyOf, type SessionRecord } from './session-record.js';

declare const indexKeyBrand: unique symbol;

/** What several sessions have in common. A session store finds the sessions with a key. */
export type IndexKey = string & { readonly [indexKeyBrand]: true };

/** Sessions with an account of this user, in any state. The subject is that of the account, or its `openIdSubject`. */
export function accountIndex(account: Pick<AccountRecord, 'provider' | 'subject'>): IndexKey {
  return indexKey('account', accountKeyOf(account));
}

/** The owned connections of a session. */
export function connectionIndex(session: SessionRef): IndexKey {
  return indexKey('connection', session);
}

/** The sessions of a user, with all clients. @param subjectKey the user as a digest (`Owner`) */
export function userIndex(subjectKey: string): IndexKey {
  return indexKey('user', subjectKey);
}

/** All index keys of a session. */
export function indexKeysOf({ accounts, session, subjectKey }: SessionRecord): readonly IndexKey[] {
  const keys = Object.values(accounts).flatMap(accountKeysOf);
  if (session !== undefined) keys.push(connectionIndex(session));
  if (subjectKey !== undefined) keys.push(userIndex(subjectKey));
  return keys;
}

function accountKeysOf({ provider, subject, openIdSubject = subject }: AccountRecord): IndexKey[] {
  const key = accountIndex({ provider, subject });
  return openIdSubject === subject ? [key] : [key, accountIndex({ provider, subject: openIdSubject })];
}

function indexKey(kind: string, value: string): IndexKey {
  // Only this function gives the brand.
  return `${kind} ${value}` as IndexKey;
}
