import { randomBytes } from 'node:crypto';

/** The prefix of a canary in tokens. Tokens must never be in a response. */
export const TOKEN_PREFIX = 'token-of-';

/** The user who logs in at the provider's page. */
export const BY_CODE = 'visitor-by-code';

const VISITOR = /visitor-(\d+)/g;

const CANARY = /canary(\d\d)[0-9a-f]{16}/g;

/** A word that is only in the name, notes and tokens of one session. */
export function canaryOf(member: number): string {
  return `canary${String(member).padStart(2, '0')}${randomBytes(8).toString('hex')}`;
}

/** The members whose canaries are in a text. */
export function canariesIn(text: string): ReadonlySet<number> {
  if (!text.includes('canary')) return new Set();
  return new Set([...text.matchAll(CANARY)].map(([, member]) => Number(member)));
}

/** The user of a temporary login. All logins in its slot have the same user. */
export function visitorOf(pendingLogin: number): string {
  return `visitor-${pendingLogin}`;
}

/** The temporary logins whose users are in a text. */
export function visitorsIn(text: string): ReadonlySet<number> {
  if (!text.includes('visitor-')) return new Set();
  return new Set([...text.matchAll(VISITOR)].map(([, pendingLogin]) => Number(pendingLogin)));
}
