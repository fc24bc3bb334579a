import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkIdToken } from '../packages/sessions/src/provider/id-token.js';
import { mintSessionId, type SessionId, sessionRefOf } from '../packages/sessions/src/session/ids.js';
import { joinFields } from '../packages/sessions/src/vault/fields.js';
import { KeyHierarchy } from '../packages/sessions/src/vault/key-hierarchy.js';
import { systemRandom } from '../packages/sessions/src/vault/random.js';
import { Secret } from '../packages/sessions/src/vault/secret.js';
import { digestOf, isSameDigest } from '../packages/sessions/src/vault/secret-digest.js';
import { decodeTokenSet, encodeTokenSet } from '../packages/sessions/src/vault/token-set.js';
import { Vault } from '../packages/sessions/src/vault/vault.js';

/** The content of the pools of small buffers: of the pool before `act`, and of the pool after it. */
function pooledDuring(act: () => void): Buffer {
  const slab = () => Buffer.from(Buffer.allocUnsafe(1).buffer);
  const before = slab();
  act();
  return Buffer.concat([before, slab()]);
}

describe('the pool of Node for small buffers', () => {
  const keys = new KeyHierarchy(randomBytes(32));
  const vault = new Vault(keys, systemRandom);
  const context = { sessionRef: 'session', owner: 'owner', provider: 'provider', generation: 1 };

  it('contains the bytes of Buffer.from, so that the other tests can fail', () => {
    const id = mintSessionId(systemRandom);
    expect(pooledDuring(() => Buffer.from(id)).includes(id)).toBe(true);
  });

  it.each<[string, (id: SessionId) => unknown]>([
    ['a session id that is looked up', (id) => sessionRefOf(keys, 'connection', id)],
    ['fields that are joined', (id) => joinFields('id', id)],
    ['a secret that is digested and compared', (id) => isSameDigest(digestOf(id), id)],
    ['a secret that is revealed', (id) => Secret.fromString(id).reveal()],
    [
      'tokens that are sealed and opened',
      (id) => {
        const tokens = { accessToken: Secret.fromString(id), refreshToken: Secret.fromString(id) };
        const { accessToken } = decodeTokenSet(
          vault.open(vault.seal(encodeTokenSet(tokens), context), context),
        );
        return accessToken.reveal();
      },
    ],
    [
      'the claims of an ID token',
      (id) => {
        const claims = JSON.stringify({ iss: 'issuer', sub: id, aud: 'client' });
        const expected = { issuer: 'issuer', clientId: 'client', audiences: [], isRefresh: true };
        const idToken = `${btoa('{"alg":"ES256"}')}.${btoa(claims)}.`;
        const checked = checkIdToken(idToken, { ...expected, toleranceSeconds: 0, nowSeconds: 0 });
        return 'claims' in checked ? checked.claims : undefined;
      },
    ],
  ])('does not hold %s [security 30]', (_what, act) => {
    const id = mintSessionId(systemRandom);
    expect(pooledDuring(() => expect(act(id)).toBeDefined()).includes(id)).toBe(false);
  });
});

/** Uses of the pool that are allowed. Messages over stdio contain no session id. */
const NO_SECRET = ['login/pages/branding.ts', 'mcp/stdio-lines.ts'];
/** The only file that creates buffers outside of the pool. */
const MAKER = 'vault/memory.ts';
const POOLED = /\bBuffer\.(?:from|concat|allocUnsafe)\(/;

describe('the sources of the library', () => {
  const root = fileURLToPath(new URL('../packages/sessions/src/', import.meta.url));
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('testing/'));

  it('use the pool only for bytes that are not secret [security 30]', () => {
    const using = sources.filter((path) => POOLED.test(readFileSync(root + path, 'utf8')));
    expect(using.sort()).toEqual([...NO_SECRET, MAKER].sort());
  });
});
