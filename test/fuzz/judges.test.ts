import { expect, it } from 'vitest';
import type { Answer } from './client.js';
import { cpuBudgetMs, cpuCost, isTooDear, keptPerClient } from './judges.js';

const answer = (status: number): Answer => ({ status, headers: {}, text: '', end: 'complete' });

/** A server whose requests cost so much, one after the other. */
function costing(costs: readonly number[], status = 400) {
  let usedMs = 1000;
  let sent = 0;
  return {
    send: async () => {
      usedMs += costs[sent++] ?? 0;
      return answer(status);
    },
    usedCpuMs: async () => usedMs,
    sent: () => sent,
  };
}

it('a request is reported if it is expensive every time', async () => {
  const server = costing([300, 200, 250, 400, 300]);
  const cost = await cpuCost(server.send, server.usedCpuMs);
  expect(cost.cpuMs).toBe(200);
  expect(isTooDear(cost)).toBe(true);
});

it('a request is not reported because of a garbage collection', async () => {
  const server = costing([300, 5]);
  const cost = await cpuCost(server.send, server.usedCpuMs);
  expect(isTooDear(cost)).toBe(false);
  expect(server.sent()).toBe(2);
});

it('a request that is refused may cost less than one that is answered', () => {
  expect(cpuBudgetMs(answer(400))).toBeLessThan(cpuBudgetMs(answer(200)));
  expect(cpuBudgetMs(answer(0))).toBe(cpuBudgetMs(answer(413)));
});

it('what is kept once for all clients is not counted', async () => {
  let held = 100;
  let isFirst = true;
  const hoard = async (clients: number) => {
    held += (isFirst ? 5000 : 0) + clients * 7;
    isFirst = false;
  };
  expect(await keptPerClient(4, hoard, async () => held)).toBe(7);
});
