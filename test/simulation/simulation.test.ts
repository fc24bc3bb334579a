import { describe, expect, it } from 'vitest';
import { firstViolation } from './first-violation.js';
import { bugsOfNodes, bugsOfRedis, plantedBugs } from './planted-bugs.js';
import { simulate } from './simulate.js';

/** Bugs that one of the first seeds reveals. */
const EASILY_NOTICED = [
  'refreshes of the same token set at the same time',
  'a new refresh token that is not kept',
  'a login of another user without a sign-out of the first',
  'a wipe that does not wipe',
  'timers that are kept after the end of their session',
] as const;

describe('the lives of sessions', () => {
  it('keep every promise in 20 seeds [security 8, 10, 17, 19, 20, 21, 22, 34, 38, 42]', async () => {
    expect(await firstViolation(20)).toBeUndefined();
  });

  it('are the same again for the same seed', async () => {
    expect(await simulate(7)).toEqual(await simulate(7));
  });
});

describe('two nodes that share sessions, of which some are stopped and some crash', () => {
  // Each of the tests below breaks one promise of the first one.
  it('keep every promise in 20 seeds [security 8, 10, 17, 19, 20, 22, 34, 52]', async () => {
    expect(await firstViolation(20, {}, { nodes: 2 })).toBeUndefined();
  });

  it('are seen to send a refresh token that the other one may have used up, if that is planted [security 20]', async () => {
    const isMeant = (message: string) => message.startsWith('A refresh token');
    const planted = bugsOfNodes['a refresh that is sent although its claim has ended'];
    expect(await firstViolation(20, planted, { nodes: 2, isMeant })).toBeDefined();
  });

  it('are seen to accept a session object from before a sign-out at the other one, if that is planted [security 10]', async () => {
    const isMeant = (message: string) => message.startsWith('A session object');
    const planted = bugsOfNodes['sign-outs that do not make session objects void'];
    expect(await firstViolation(20, planted, { nodes: 2, isMeant })).toBeDefined();
  });

  it('are seen to revoke tokens of a grant that a session still has, if that is planted [security 22]', async () => {
    const isMeant = (message: string) => message.startsWith('A grant was revoked');
    const planted = bugsOfNodes['tokens that come late and are revoked although an account has their grant'];
    expect(await firstViolation(20, planted, { nodes: 2, isMeant })).toBeDefined();
  });
});

describe('three nodes of an engine that is silent, loses messages, is restarted and fails over', () => {
  const options = { nodes: 3, engine: 'redis' } as const;

  it('keep every promise in 3 seeds [security 8, 10, 17, 19, 20, 22, 34, 52]', async () => {
    expect(await firstViolation(3, {}, options)).toBeUndefined();
  });

  it('are the same again for the same seed', async () => {
    expect(await simulate(1, {}, options)).toEqual(await simulate(1, {}, options));
  });

  it('run no command whose caller has given up', async () => {
    const isMeant = (message: string) => message.startsWith('A command took effect');
    const planted = bugsOfRedis['a command that takes effect after its caller has given up'];
    expect(await firstViolation(1, planted, { ...options, isMeant })).toBeDefined();
  });
});

describe('a simulation', () => {
  it.each(EASILY_NOTICED)('notices %s', async (name) => {
    expect(await firstViolation(60, plantedBugs[name])).toBeDefined();
  });
});
