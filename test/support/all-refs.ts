import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { refPages } from '../../packages/sessions/src/session/ref-pages.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';

/** The references of all sessions of a store. */
export async function allRefs(store: Pick<SessionStore, 'refs'>): Promise<SessionRef[]> {
  const all: SessionRef[] = [];
  for await (const refs of refPages(store)) all.push(...refs);
  return all;
}
