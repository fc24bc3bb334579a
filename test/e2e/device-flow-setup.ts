import type { InProcessNotes } from '../support/in-process-notes.js';
import { client2026, connect2025, type RawClient } from '../support/raw-mcp.js';

export const ERAS = ['2025', '2026'] as const;

let users = 0;
/** A user name that is unique in the process. */
export const newUser = (): string => `user-${++users}`;

export const clientIn = (era: (typeof ERAS)[number], mcp: string): Promise<RawClient> =>
  era === '2025' ? connect2025(mcp) : Promise.resolve(client2026(mcp));

/** Resolves when a login has failed for that reason. */
export const failureOf = (notes: InProcessNotes, kind: string) =>
  notes.next((event) => event.type === 'login.failed' && event.failure === kind);

/** Resolves when a user has logged in. */
export const successOf = (notes: InProcessNotes) =>
  notes.next(({ type }) => type === 'account.authenticated');

/** Starts a login and returns its code and the page where the user enters it. */
export async function codeOf(client: Pick<RawClient, 'call'>, args: Record<string, unknown> = {}) {
  const { structured, text } = await client.call('login', args);
  const { loginUrl, userCode } = structured;
  if (typeof loginUrl !== 'string' || typeof userCode !== 'string') throw new Error(`No code: ${text}`);
  return { loginUrl, userCode };
}
