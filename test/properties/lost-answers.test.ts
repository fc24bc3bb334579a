import { describe, expect, it } from 'vitest';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { type EngineNodes, engineNodes } from '../support/engine-nodes.js';
import type { ModelledEngineOptions } from '../support/modelled-engine.js';
import { answerOf } from '../support/port-answers.js';
import { SeededRandom } from '../support/seeded-random.js';
import { SessionBench } from '../support/session-bench.js';

const SEEDS = 150;
const LOSSES = 0.15;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** A node of an engine that is late and loses a part of all messages. */
function lossyNode(
  seed: number,
  options: Partial<ModelledEngineOptions> = {},
): EngineNodes & { readonly bench: SessionBench } {
  const made = engineNodes(seed, { losses: LOSSES, ...options });
  const [node] = made.nodes;
  const random = new SeededRandom(seed).bytes;
  const bench = new SessionBench({
    clock: made.clock,
    nodeClock: node.clock,
    keys: new KeyHierarchy(random(32)),
    random,
    createPorts: ({ isPresent }) => made.engine.portsOf(node.clock, isPresent),
  });
  return { ...made, bench };
}

/** Runs something that the engine may leave unanswered. @returns whether it was answered */
async function isAnswered({ bench }: { bench: SessionBench }, call: Promise<unknown>): Promise<boolean> {
  try {
    await answerOf(bench.clock, call);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'store_unavailable' });
    return false;
  }
}

describe('an engine that loses answers', () => {
  it('keeps no session whose start has failed, unless its removal has failed, too: then until its lifetime ends', async () => {
    const failed = { takenBack: 0, left: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const node = lossyNode(seed);
      const { bench, engine, clock, records } = node;
      if (await isAnswered(node, bench.registry.start('connection', 'anonymous'))) continue;
      await clock.advance(5000);
      const [error] = bench.errors;
      if (error === undefined) failed.takenBack++;
      else failed.left += records.size;
      expect(records.size).toBeLessThanOrEqual(error === undefined ? 0 : 1);
      engine.isCalm = true;
      await clock.advance(DAY_MS + 10_000);
      expect(records.size).toBe(0);
    }
    expect(failed.takenBack).toBeGreaterThan(5);
    expect(failed.left).toBeGreaterThan(0);
  });

  it('makes a change once, and a rejected one at most once', async () => {
    const outcomes = { answered: 0, rejectedAndMade: 0, rejectedAndNotMade: 0 };
    for (let seed = 1; seed <= SEEDS / 5; seed++) {
      const node = lossyNode(seed);
      const { bench, engine, clock, records } = node;
      engine.isCalm = true;
      const { record } = await answerOf(clock, bench.registry.start('connection', ''));
      engine.isCalm = false;
      const made = () => records.get(record.ref)?.owner.length ?? 0;
      for (let count = 0; count < 20; count++) {
        const before = made();
        const change = bench.registry.update(record.ref, ({ owner }) => ({ owner: `${owner}.` }));
        const isKnown = await isAnswered(node, change);
        if (isKnown) expect(made()).toBe(before + 1);
        else expect([before, before + 1]).toContain(made());
        if (isKnown) outcomes.answered++;
        else if (made() > before) outcomes.rejectedAndMade++;
        else outcomes.rejectedAndNotMade++;
      }
    }
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(5);
  });

  it('keeps no end from wiping and revoking: what has resolved is done, once [security 34]', async () => {
    let retried = 0;
    let confirmed = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const node = lossyNode(seed);
      const { bench, engine, clock, records } = node;
      engine.isCalm = true;
      const { record } = await answerOf(clock, bench.loggedIn('alice'));
      engine.isCalm = false;
      const before = clock.now();
      const ending = Promise.all([1, 2, 3].map(() => bench.registry.end(record.ref, 'deleted')));
      if (!(await isAnswered(node, ending))) continue;
      if (clock.now() - before > 1000) retried++;
      engine.isCalm = true;
      await clock.advance(5000);
      expect(records.size).toBe(0);
      expect(bench.eventsOf('session.ended')).toHaveLength(1);
      // If it is not known whether the grant is in use, its tokens are wiped only.
      const [revoked] = bench.eventsOf('account.revoked').map(({ revocation }) => revocation);
      expect(['confirmed', 'deferred']).toContain(revoked);
      const tokens = revoked === 'confirmed' ? ['refresh-alice-1', 'access-alice-1'] : [];
      expect(bench.provider.revoked).toEqual(tokens);
      if (revoked === 'confirmed') confirmed++;
    }
    expect(retried).toBeGreaterThan(5);
    expect(confirmed).toBeGreaterThan(SEEDS / 2);
  });

  it('has a process emit no event of a session after its end, whatever overtakes on the way', async () => {
    const ends: number[] = [];
    for (let seed = 1; seed <= SEEDS / 5; seed++) {
      const { bench, engine, clock } = lossyNode(seed, { delayMs: 400, losses: 0.02 });
      const { registry, accounts, provider } = bench;
      const random = new SeededRandom(seed);
      const later = async (withinMs: number, run: () => Promise<unknown>) => {
        await new Promise<void>((resolve) => clock.after(random.below(withinMs), resolve));
        await run();
      };
      const start = () => bench.loggedIn('alice');
      engine.isCalm = true;
      const started = await answerOf(clock, Promise.all(Array.from({ length: 20 }, start)));
      engine.isCalm = false;
      const work = started.flatMap(({ snapshot }) => [
        later(500, () => registry.signOut(snapshot.ref, 'logout')),
        later(500, () => accounts.commitLogin(snapshot, 'idp', provider.grant('bob'))),
        later(1000, () => registry.end(snapshot.ref, 'deleted')),
      ]);
      await Promise.all([Promise.allSettled(work), clock.advance(2 * MINUTE_MS)]);
      for (const { record } of started) {
        const ofSession = bench.events.filter((event) => 'ref' in event && event.ref === record.ref);
        // The answer of a provider comes when it comes.
        const types = ofSession.map(({ type }) => type).filter((type) => type !== 'account.revoked');
        const end = types.indexOf('session.ended');
        if (end >= 0) expect(types.slice(end + 1)).toEqual([]);
        ends.push(end);
      }
    }
    expect(ends.filter((end) => end > 2).length).toBeGreaterThan(50);
  });
});
