import { randomBytes } from 'node:crypto';

/** Stands before a canary in the tokens of its session, which are for nobody to see. */
export const TOKEN_PREFIX = 'token-of-';

/** The user who logs in at the page of the provider. */
export const BY_CODE = 'visitor-by-code';

const VISITOR = /visitor-(\d+)/g;

const CANARY = /canary(\d\d)[0-9a-f]{16}/g;

/** A word that is in the name, the notes and the tokens of one session and nowhere else. */
export function canaryOf(member: number): string {
  return `canary${String(member).padStart(2, '0')}${randomBytes(8).toString('hex')}`;
}

/** The sessions whose canaries are in a text. */
export function canariesIn(text: string): ReadonlySet<number> {
  if (!text.includes('canary')) return new Set();
  return new Set([...text.matchAll(CANARY)].map(([, member]) => Number(member)));
}

/** The user of a throw-away login. Whoever else takes its slot is the same user. */
export function visitorOf(trip: number): string {
  return `visitor-${trip}`;
}

/** The throw-away logins whose users are named in a text. */
export function visitorsIn(text: string): ReadonlySet<number> {
  if (!text.includes('visitor-')) return new Set();
  return new Set([...text.matchAll(VISITOR)].map(([, trip]) => Number(trip)));
}
