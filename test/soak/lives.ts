import type { RefreshOutcome } from '../../packages/sessions/src/account/refresh/granted-tokens.js';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionSnapshot } from '../../packages/sessions/src/session/session-record.js';
import type { SessionBench } from '../support/session-bench.js';

/** The start of a session's life, before time passes. @returns the session that has to end */
export type Life = (bench: SessionBench, user: string) => Promise<SessionRef>;

const HOUR_MS = 60 * 60 * 1000;
/** After the absolute lifetime, and early enough for the session to expire within another day. */
const STREAM_MS = 13 * HOUR_MS;

const PROVIDER = 'idp';
/** The outcomes of refreshes, by the name of the user. */
const DEAD = 'dead';
const LOST = 'lost';
const DOWN = 'down';

/** The outcome of the refresh of a user's tokens; `undefined`: new tokens. */
export function troubleOf(refreshToken: string): RefreshOutcome | undefined {
  const [, user = ''] = refreshToken.split('-');
  if (user.startsWith(DEAD)) return { kind: 'grant_revoked' };
  if (user.startsWith(LOST)) return { kind: 'lost', cause: undefined };
  if (user.startsWith(DOWN)) return { kind: 'unavailable', retryAfterSeconds: undefined, cause: undefined };
  return undefined;
}

/** All ways in which a session can end. */
export const LIVES: readonly Life[] = [
  async function handleLoggedOut(bench, user) {
    const { snapshot } = await bench.loggedIn(user, 'handle');
    await bench.accessToken(snapshot);
    await (await bench.registry.signOut(snapshot.ref, 'logout')).revoked;
    return snapshot.ref;
  },
  async function connectionDeleted(bench, user) {
    const { snapshot } = await bench.loggedIn(user);
    await bench.registry.end(snapshot.ref, 'deleted');
    return snapshot.ref;
  },
  async function connectionLeftAlone(bench, user) {
    const { snapshot } = await bench.loggedIn(user);
    return snapshot.ref;
  },
  async function connectionLost(bench, user) {
    const { snapshot } = await bench.loggedIn(user);
    bench.registry.streamOpened(snapshot.ref)('client');
    return snapshot.ref;
  },
  async function clientPresentUntilTheAbsoluteEnd(bench, user) {
    const { snapshot } = await bench.loggedIn(user);
    const close = bench.registry.streamOpened(snapshot.ref);
    bench.clock.after(STREAM_MS, () => close('client'));
    return snapshot.ref;
  },
  async function handlePromoted(bench, user) {
    const { record } = await bench.loggedIn(user, 'pending-handle');
    const pending = await bench.registry.get(record.ref);
    const promoted = pending && (await bench.accounts.promote(pending));
    if (!promoted) throw new Error('The pending handle expired too early.');
    await bench.registry.signOut(promoted.record.ref, 'logout');
    return promoted.record.ref;
  },
  async function loginAbandoned(bench) {
    const { record } = await bench.registry.start('pending-handle', 'holder');
    return record.ref;
  },
  async function loggedInAgain(bench, user) {
    const { snapshot } = await bench.loggedIn(user);
    await bench.accounts.commitLogin(snapshot, PROVIDER, bench.provider.grant(`${user}b`));
    bench.registry.signalOf(snapshot);
    await bench.registry.signOut(snapshot.ref, 'logout');
    await bench.registry.touch(snapshot.ref);
    return snapshot.ref;
  },
  async function grantRevoked(bench, user) {
    const snapshot = await refreshFails(bench, `${DEAD}${user}`);
    await bench.registry.end(snapshot.ref, 'deleted');
    return snapshot.ref;
  },
  async function refreshLost(bench, user) {
    const snapshot = await refreshFails(bench, `${LOST}${user}`);
    return snapshot.ref;
  },
  async function providerDown(bench, user) {
    const snapshot = await refreshFails(bench, `${DOWN}${user}`);
    return snapshot.ref;
  },
];

async function refreshFails(bench: SessionBench, user: string): Promise<SessionSnapshot> {
  const { snapshot } = await bench.loggedIn(user);
  const failed = await bench.refresher.refresh(snapshot.ref, PROVIDER, 1).catch(() => true);
  if (!failed) throw new Error('A refresh succeeded that was to fail.');
  return snapshot;
}
