import { describe, expect, it } from 'vitest';
import { MODELLED_NOW, ModelledRedis } from '../../../../../test/support/redis-model/modelled-redis.js';
import type { SessionRef } from '../../session/ids.js';
import { blankRecord, type SessionRecord } from '../../session/session-record.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { KeyRing } from '../../vault/key-ring.js';
import { systemRandom } from '../../vault/random.js';
import { Engine } from './engine.js';
import { OpenedRecords } from './opened-records.js';
import { RedisSessionStore } from './redis-session-store.js';
import { SealedValues } from './sealed-values.js';

const MiB = 1024 * 1024;
// The brand is given in the library only; here any text will do.
const REF = 'session' as SessionRef;

function recordOf(fields: Partial<SessionRecord> = {}): SessionRecord {
  const sealed = { salt: Buffer.alloc(32, 1), bytes: Buffer.alloc(2048, 1) };
  const account = { provider: 'idp', subject: 'alice', scopes: [], hasRefreshToken: true, sealed };
  return {
    ...blankRecord(REF, 'handle', 'owner', 0),
    accounts: { idp: { ...account, state: 'authenticated', generation: 1, grantId: 1 } },
    ...fields,
  };
}

/** Two nodes of an engine, and the sizes of the answers of the engine. */
async function setUp() {
  const clock = new VirtualClock();
  const redis = new ModelledRedis({ now: () => clock.now() });
  const sizes: number[] = [];
  const callBuffer = async (...command: Parameters<typeof redis.run>) => {
    const answer = await redis.run(...command);
    sizes.push(JSON.stringify(answer).length);
    return answer;
  };
  const engine = new Engine({
    commands: { callBuffer },
    clock,
    prefix: '{test}',
    now: MODELLED_NOW,
    timers: clock,
  });
  const ring = new KeyRing([{ id: 'a', bytes: systemRandom(32) }], systemRandom);
  const values = new SealedValues(ring, new KeyHierarchy(systemRandom(32)));
  const node = () => new RedisSessionStore({ engine, values, isPresent: () => false });
  const [one, other] = [node(), node()];
  await one.insert(recordOf(), { maxSessions: 10, maxAnonymous: 10 });
  const visit = (store = one) => store.visit(REF, clock.now(), Number.POSITIVE_INFINITY);
  return { one, other, sizes, visit };
}

describe('a record that a node has opened', () => {
  it('is not sent again until it has changed', async () => {
    const { one, other, sizes, visit } = await setUp();
    const first = await visit();
    expect(sizes.at(-1)).toBeGreaterThan(2048);
    expect(await visit()).toEqual(first);
    expect(await one.get(REF)).toEqual(first);
    for (const size of sizes.slice(-2)) expect(size).toBeLessThan(200);
    await other.replace(recordOf({ version: 2, epoch: 5 }), 1);
    expect(await visit()).toMatchObject({ version: 2, epoch: 5 });
    expect(await one.get(REF)).toMatchObject({ version: 2, epoch: 5 });
  });

  it('is gone when another node has ended the session [security 53]', async () => {
    const { one, other, visit } = await setUp();
    await visit();
    await other.take(REF, 'logout');
    expect(await visit()).toBeUndefined();
    expect(await one.get(REF)).toBeUndefined();
  });

  it('keeps its tokens when a caller overwrites those of an answer', async () => {
    const { one, visit } = await setUp();
    for (let read = 0; read < 3; read++) (await visit())?.accounts.idp?.sealed?.bytes.fill(0);
    expect((await one.get(REF))?.accounts.idp?.sealed?.bytes).toEqual(Buffer.alloc(2048, 1));
  });

  it('is a copy, and unknown once it is dropped', () => {
    const records = new OpenedRecords(() => 0);
    const opened = recordOf();
    records.set(REF, 1, opened, 3000);
    opened.accounts.idp?.sealed?.bytes.fill(0);
    expect(records.copyOf(REF)?.kept).toEqual(recordOf());
    records.delete(REF);
    expect(records.copyOf(REF)).toBeUndefined();
  });

  it('is dropped when it has not been used for a minute and another one is opened', () => {
    let now = 0;
    const records = new OpenedRecords(() => now);
    const [used, unused, next] = ['used', 'unused', 'next'] as SessionRef[] as [
      SessionRef,
      SessionRef,
      SessionRef,
    ];
    records.set(unused, 1, recordOf(), 3000);
    records.set(used, 1, recordOf(), 3000);
    now = 59_000;
    records.copyOf(used);
    now = 60_000;
    records.set(next, 1, recordOf(), 3000);
    expect([used, unused, next].map((ref) => records.copyOf(ref)?.version)).toEqual([1, undefined, 1]);
  });

  it('is dropped when 32 MiB are in use and it was used longest ago', () => {
    const records = new OpenedRecords(() => 0);
    const refs = Array.from({ length: 40 }, (_, number) => `session ${number}` as SessionRef);
    for (const ref of refs) {
      records.set(ref, 1, recordOf(), MiB / 2);
      records.copyOf(refs[0] as SessionRef);
    }
    const left = refs.filter((ref) => records.copyOf(ref));
    expect(left.length).toBeGreaterThan(29);
    expect(left.length).toBeLessThan(33);
    expect(left[0]).toBe(refs[0]);
    expect(left.slice(1)).toEqual(refs.slice(-left.length + 1));
  });
});
