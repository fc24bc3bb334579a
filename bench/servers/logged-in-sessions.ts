import { randomBytes } from 'node:crypto';
import { builtModule } from '../library.js';

const { snapshotOf } = await builtModule('session/session-record');
const { ANONYMOUS_OWNER } = await builtModule('session/ids');
const { Secret } = await builtModule('vault/secret');
const { composeServer } = await builtModule('server/create-sessions');

type Parts = ReturnType<typeof composeServer>['parts'];
type Record = NonNullable<Awaited<ReturnType<Parts['registry']['get']>>>;

export const PROVIDER = 'idp';
/** Access and refresh token together are 2 KiB. */
export const TOKEN_CHARACTERS = 1024;
/** The tokens of the benchmarks are not refreshed. */
const LIFETIME_SECONDS = 7 * 24 * 3600;

let users = 0;

/** Commits a login as the end of every login does: a user of its own, and tokens that get a key of their own. */
export async function logIn({ accounts }: Parts, record: Record): Promise<void> {
  const subject = `user-${users++}`;
  const random = () => Secret.fromString(randomBytes((TOKEN_CHARACTERS * 3) / 4).toString('base64url'));
  const generation = await accounts.commitLogin(snapshotOf(record), PROVIDER, {
    tokens: { accessToken: random(), refreshToken: random() },
    // In the time of the clock that the server has.
    requestedAtMs: record.createdAtMs,
    expiresInSeconds: LIFETIME_SECONDS,
    scopes: ['profile'],
    identity: { subject, name: subject },
  });
  if (generation === undefined) throw new Error('A login was not committed.');
}

/**
 * Adds a session of the 2026 revision with a login: a pending handle, which the login replaces.
 * @returns the handle, and the record of the session
 */
export async function addHandle(parts: Parts): Promise<{ id: string; record: Record }> {
  const { registry, accounts } = parts;
  const { record } = await registry.start('pending-handle', ANONYMOUS_OWNER);
  await logIn(parts, record);
  const pending = await registry.get(record.ref);
  const promoted = pending && (await accounts.promote(pending));
  if (!promoted) throw new Error('A handle was not promoted.');
  return promoted;
}
