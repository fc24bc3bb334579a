import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { systemRandom } from '../../vault/random.js';
import { Vault } from '../../vault/vault.js';
import { type RequestStateQuota, RequestStates } from './request-state.js';

const MINUTE = 60_000;
const BINDING = { session: 'alice', tool: 'login', arguments: '[]' };
const ALICE: RequestStateQuota = { session: 'alice', client: 'hers' };
const INVALID = {
  code: 'login_failed',
  message: expect.stringMatching(/invalid, expired or used up\. Call/),
};

function statesOf() {
  const clock = new VirtualClock();
  const vault = new Vault(new KeyHierarchy(systemRandom(32)), systemRandom, 'request-state');
  const states = new RequestStates(vault, systemRandom, clock);
  const flood = (times: number, quotaKeyOf: (time: number) => RequestStateQuota) => {
    for (let time = 0; time < times; time++) states.seal('flood', BINDING, quotaKeyOf(time));
  };
  return { clock, states, flood };
}

describe('the state of a call that goes several rounds [security 16]', () => {
  it('opens unchanged, and its text reveals nothing to the client', () => {
    const { states } = statesOf();
    const state = states.seal('round 1 of héllo', BINDING, ALICE);
    expect(states.isOurs(state)).toBe(true);
    expect(Buffer.from(state, 'base64url').toString('latin1')).not.toContain('round');
    expect(states.open(state, BINDING)).toBe('round 1 of héllo');
  });

  it('opens only once', () => {
    const { states } = statesOf();
    const state = states.seal('round', BINDING, ALICE);
    states.open(state, BINDING);
    expect(() => states.open(state, BINDING)).toThrow(expect.objectContaining(INVALID));
  });

  it('is valid for ten minutes, and is then forgotten', async () => {
    const { clock, states } = statesOf();
    const [kept, late] = [states.seal('round', BINDING, ALICE), states.seal('round', BINDING, ALICE)];
    await clock.advance(10 * MINUTE - 1);
    expect(states.open(kept, BINDING)).toBe('round');
    await clock.advance(1);
    expect(() => states.open(late, BINDING)).toThrow(expect.objectContaining(INVALID));
    states.seal('another', BINDING, ALICE);
    expect(states.size).toBe(1);
  });

  it.each([
    ['session', { session: 'bob' }],
    ['tool', { tool: 'notes' }],
    ['arguments', { arguments: '["other"]' }],
  ])('opens for the same %s only', (_, other) => {
    const { states } = statesOf();
    const state = states.seal('round', BINDING, ALICE);
    expect(() => states.open(state, { ...BINDING, ...other })).toThrow(expect.objectContaining(INVALID));
    expect(states.open(state, BINDING)).toBe('round');
  });

  it('is not good when anything of it was changed', () => {
    const { states } = statesOf();
    const state = states.seal('round', BINDING, ALICE);
    const bytes = Buffer.from(state.slice('login.'.length), 'base64url');
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      const forged = `login.${changed.toString('base64url')}`;
      expect(() => states.open(forged, BINDING)).toThrow(expect.objectContaining(INVALID));
    }
    for (const forged of ['', 'login.', 'login.AAAA', state.slice(0, -4), `x${state}`]) {
      expect(() => states.open(forged, BINDING)).toThrow(expect.objectContaining(INVALID));
    }
    expect(states.open(state, BINDING)).toBe('round');
  });
});

describe('of the states that are out [security 41]', () => {
  it('a session has a hundred, and the oldest of its own goes', () => {
    const { states, flood } = statesOf();
    const first = states.seal('first', BINDING, ALICE);
    const second = states.seal('second', BINDING, ALICE);
    flood(99, () => ALICE);
    expect(states.size).toBe(100);
    expect(() => states.open(first, BINDING)).toThrow(expect.objectContaining(INVALID));
    expect(states.open(second, BINDING)).toBe('second');
  });

  it('a client that requests many in many sessions evicts only its own', () => {
    const { states, flood } = statesOf();
    const state = states.seal('hers', BINDING, ALICE);
    flood(101, () => ({ session: 'one', client: 'attacker' }));
    flood(10_000, (time) => ({ session: `session ${time}`, client: 'attacker' }));
    expect(states.size).toBe(10_000);
    expect(states.open(state, BINDING)).toBe('hers');
  });
});
