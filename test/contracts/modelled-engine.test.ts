import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { blankRecord } from '../../packages/sessions/src/session/session-record.js';
import { engineNodes } from '../support/engine-nodes.js';
import type { ModelledEngineOptions } from '../support/modelled-engine.js';
import { answerOf } from '../support/port-answers.js';
import { describePortsOfEngine } from './engine-contracts.js';

describePortsOfEngine(0);

const LIMITS = { maxSessions: 1000, maxAnonymous: 1000 };
const SECOND = 1000;
// The brand is given in the library only; here any text will do.
const refOf = (number: number) => `session ${number}` as SessionRef;
const recordOf = (number: number) => blankRecord(refOf(number), 'connection', 'holder', 0);

/** Inserts sessions at an engine that often does not answer, and looks at each rejected call again later. */
async function rejectedInsertions(options: Partial<ModelledEngineOptions> = {}) {
  const { clock, records, nodes } = engineNodes(1, { delayMs: 1500, losses: 0.1, ...options });
  const { sessions } = nodes[0].ports;
  const rejected: { ref: SessionRef; hadTakenEffect: boolean; afterMs: number; error: unknown }[] = [];
  for (let number = 0; number < 200; number++) {
    const ref = refOf(number);
    const note = (error: unknown) =>
      rejected.push({ ref, hadTakenEffect: records.has(ref), afterMs: clock.now(), error });
    void Promise.resolve(sessions.insert(recordOf(number), LIMITS)).catch(note);
  }
  await clock.advance(10 * SECOND);
  return rejected.map((call) => ({ ...call, hasTakenEffect: records.has(call.ref) }));
}

describe('a call to an engine', () => {
  it('that is not answered is rejected within a second, whether it has taken effect or not', async () => {
    const rejected = await rejectedInsertions();
    expect(new Set(rejected.map(({ afterMs }) => afterMs))).toEqual(new Set([SECOND]));
    for (const { error } of rejected) expect(error).toMatchObject({ code: 'store_unavailable' });
    expect(new Set(rejected.map(({ hadTakenEffect }) => hadTakenEffect))).toEqual(new Set([true, false]));
  });

  it('takes no effect after its rejection', async () => {
    const rejected = await rejectedInsertions();
    expect(rejected.filter((call) => call.hasTakenEffect !== call.hadTakenEffect)).toEqual([]);
    const late = await rejectedInsertions({ hasLateEffects: true });
    expect(late.filter((call) => call.hasTakenEffect !== call.hadTakenEffect)).not.toEqual([]);
  });

  it('is rejected at once by an engine that is down, and has no effect', async () => {
    const { engine, clock, records, nodes } = engineNodes(1, { delayMs: 20 });
    engine.isDown = true;
    const insertion = Promise.resolve(nodes[0].ports.sessions.insert(recordOf(1), LIMITS));
    await expect(answerOf(clock, insertion)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(clock.now()).toBeLessThan(100);
    expect(records.size).toBe(0);
  });

  it('returns copies, so that what one node wipes another one still has', async () => {
    const { clock, nodes } = engineNodes(1);
    const [one, other] = nodes;
    const sealed = { salt: Buffer.alloc(32, 1), bytes: Buffer.alloc(32, 1) };
    const account = { provider: 'idp', state: 'authenticated', generation: 1, grantId: 1, sealed } as const;
    const accounts = { idp: { ...account, scopes: [], subject: 'alice', hasRefreshToken: true } };
    await answerOf(clock, one.ports.sessions.insert({ ...recordOf(1), accounts }, LIMITS));
    sealed.bytes.fill(0);
    const read = await answerOf(clock, one.ports.sessions.get(refOf(1)));
    read?.accounts.idp?.sealed?.salt.fill(0);
    expect(await answerOf(clock, other.ports.sessions.get(refOf(1)))).toMatchObject({
      accounts: { idp: { sealed: { salt: Buffer.alloc(32, 1), bytes: Buffer.alloc(32, 1) } } },
    });
  });
});

describe('a node of an engine', () => {
  it('that is stopped receives answers and messages when it continues', async () => {
    const { clock, nodes } = engineNodes(1, { delayMs: 20 });
    const [stopped, other] = nodes;
    const seen: string[] = [];
    stopped.ports.messages.subscribe('a', () => seen.push('message'));
    void Promise.resolve(stopped.ports.sessions.refs()).then(() => seen.push('answer'));
    stopped.clock.after(10, () => seen.push('timer'));
    stopped.clock.freeze(500);
    other.ports.messages.publish('a');
    await clock.advance(499);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen.sort()).toEqual(['answer', 'message', 'timer']);
  });

  it('that has crashed runs nothing, and what was due there is due elsewhere', async () => {
    const { clock, nodes } = engineNodes(1);
    const [crashed, other] = nodes;
    const due: string[] = [];
    crashed.ports.sessions.consumeDue(() => due.push('crashed'));
    await answerOf(clock, other.ports.sessions.insert({ ...recordOf(1), dueAtMs: 10 * SECOND }, LIMITS));
    await clock.advance(9 * SECOND - clock.now());
    crashed.clock.after(0, () => due.push('timer'));
    crashed.clock.crash();
    other.ports.sessions.consumeDue(() => due.push('other'));
    await clock.advance(2 * SECOND);
    expect(due).toEqual(['other']);
  });

  it('ends no owned connection that is in use at another one, as far as that one has said [security 36, 39]', async () => {
    const { clock, nodes } = engineNodes(1);
    const [one, other] = nodes;
    const share = { max: 1, minIdleMs: 0 };
    const insert = (number: number) => {
      const record = { ...recordOf(number), kind: 'owned-connection' } as const;
      return answerOf(clock, one.ports.sessions.insert(record, { ...LIMITS, share }));
    };
    const visit = (number: number) =>
      answerOf(clock, other.ports.sessions.visit(refOf(number), clock.now(), Number.POSITIVE_INFINITY));
    await insert(1);
    other.present.add(refOf(1));
    await visit(1);
    expect(await insert(2)).toMatchObject({ kind: 'share_full' });
    other.present.delete(refOf(1));
    await visit(1);
    expect(await insert(2)).toMatchObject({ kind: 'inserted', evicted: [{ ref: refOf(1) }] });
    other.present.add(refOf(2));
    await visit(2);
    other.clock.crash();
    await clock.advance(60 * SECOND);
    expect(await insert(3)).toMatchObject({ kind: 'inserted', evicted: [{ ref: refOf(2) }] });
  });

  it('counts as having the clients that are present at any other one', async () => {
    const { clock, nodes } = engineNodes(1);
    const [one, other] = nodes;
    const insert = (number: number) =>
      answerOf(clock, one.ports.sessions.insert(recordOf(number), { ...LIMITS, maxSessions: 1 }));
    await insert(1);
    other.present.add(refOf(1));
    expect(await insert(2)).toMatchObject({ kind: 'inserted', evicted: [{ ref: refOf(1) }] });
    const share = { max: 1, minIdleMs: 0 };
    other.present.add(refOf(2));
    const refused = one.ports.sessions.insert(recordOf(3), { ...LIMITS, share });
    expect(await answerOf(clock, refused)).toMatchObject({ kind: 'share_full' });
  });
});
