import type { SessionRef } from './ids.js';
import type { SessionStore } from './session-store.js';

/**
 * The references of all sessions, page by page: `SessionStore.refs`. The event loop continues between two pages.
 * @throws SessionError `store_unavailable`
 */
export async function* refPages(
  store: Pick<SessionStore, 'refs'>,
): AsyncGenerator<readonly SessionRef[], void, undefined> {
  let page = await store.refs();
  yield page.refs;
  while (page.next !== undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    page = await store.refs(page.next);
    yield page.refs;
  }
}
