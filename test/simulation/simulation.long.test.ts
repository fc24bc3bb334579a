import { describe, expect, it } from 'vitest';
import { firstViolation } from './first-violation.js';
import { bugsOfNodes, bugsOfRedis, plantedBugs } from './planted-bugs.js';

describe('the lives of sessions', () => {
  it('keep every promise in 200 seeds [security 8, 10, 17, 19, 20, 21, 22, 34, 38, 42]', async () => {
    expect(await firstViolation(200)).toBeUndefined();
  });

  it('keep every promise at two nodes in 1,000 seeds [security 8, 10, 17, 19, 20, 22, 34, 52]', async () => {
    expect(await firstViolation(1000, {}, { nodes: 2 })).toBeUndefined();
  });

  it('keep every promise at three nodes of Redis in 200 seeds [security 8, 10, 17, 19, 20, 22, 34, 52]', async () => {
    expect(await firstViolation(200, {}, { nodes: 3, engine: 'redis' })).toBeUndefined();
  });
});

describe('a simulation of three nodes of Redis', () => {
  it.each(Object.entries(bugsOfRedis))('notices %s within 100 seeds', async (_name, planted) => {
    expect(await firstViolation(100, planted, { nodes: 3, engine: 'redis' })).toBeDefined();
  });
});

describe('a simulation of two nodes', () => {
  it.each(Object.entries(bugsOfNodes))('notices %s within 100 seeds', async (_name, planted) => {
    expect(await firstViolation(100, planted, { nodes: 2 })).toBeDefined();
  });
});

describe('a simulation', () => {
  it.each(Object.entries(plantedBugs))('notices %s within 100 seeds', async (_name, planted) => {
    expect(await firstViolation(100, planted)).toBeDefined();
  });
});
