import { expect, it } from 'vitest';
import type { Answer } from './client.js';
import { cpuBudgetMs, cpuCost, isTooExpensive, memoryPerClient } from './resource-limits.js';

const answer = (status: number): Answer => ({ status, headers: {}, text: '', end: 'complete' });

/** A server whose requests use these CPU times, in order. */
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

it('reports a request that is expensive every time', async () => {
  const server = costing([300, 200, 250, 400, 300]);
  const cost = await cpuCost(server.send, server.usedCpuMs);
  expect(cost.cpuMs).toBe(200);
  expect(isTooExpensive(cost)).toBe(true);
});

it('does not report a request because of a garbage collection', async () => {
  const server = costing([300, 5]);
  const cost = await cpuCost(server.send, server.usedCpuMs);
  expect(isTooExpensive(cost)).toBe(false);
  expect(server.sent()).toBe(2);
});

it('allows less CPU time for a rejected request', () => {
  expect(cpuBudgetMs(answer(400))).toBeLessThan(cpuBudgetMs(answer(200)));
  expect(cpuBudgetMs(answer(0))).toBe(cpuBudgetMs(answer(413)));
});

it('does not count memory that all clients share', async () => {
  let held = 100;
  let isFirst = true;
  const addClients = async (clients: number) => {
    held += (isFirst ? 5000 : 0) + clients * 7;
    isFirst = false;
  };
  expect(await memoryPerClient(4, addClients, async () => held)).toBe(7);
});
