import { describe, expect, it } from 'vitest';
import { MapOneTimeStore } from '../../store/map-one-time-store.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { systemRandom } from '../../vault/random.js';
import { Vault } from '../../vault/vault.js';
import { RequestStates } from './request-state.js';

const MINUTE = 60_000;
const BINDING = { session: 'alice', tool: 'login', arguments: '[]' };
const ALICE = { session: 'alice', client: 'hers' };
const INVALID = {
  code: 'login_failed',
  message: expect.stringMatching(/invalid, expired or used up\. Call/),
};

function statesOf() {
  const clock = new VirtualClock();
  const vault = new Vault(new KeyHierarchy(systemRandom(32)), systemRandom, 'request-state');
  const oneTime = new MapOneTimeStore(clock);
  return { clock, states: new RequestStates({ vault, random: systemRandom, clock, oneTime }) };
}

describe('the state of a call that goes several rounds [security 16]', () => {
  it('opens unchanged, and its text reveals nothing to the client', async () => {
    const { states } = statesOf();
    const state = await states.seal('round 1 of héllo', BINDING, ALICE);
    expect(states.isOurs(state)).toBe(true);
    expect(Buffer.from(state, 'base64url').toString('latin1')).not.toContain('round');
    expect(await states.open(state, BINDING)).toBe('round 1 of héllo');
  });

  it('opens only once', async () => {
    const { states } = statesOf();
    const state = await states.seal('round', BINDING, ALICE);
    await states.open(state, BINDING);
    await expect(states.open(state, BINDING)).rejects.toThrow(expect.objectContaining(INVALID));
  });

  it('is valid for ten minutes', async () => {
    const { clock, states } = statesOf();
    const [kept, late] = [
      await states.seal('round', BINDING, ALICE),
      await states.seal('round', BINDING, ALICE),
    ];
    await clock.advance(10 * MINUTE - 1);
    expect(await states.open(kept, BINDING)).toBe('round');
    await clock.advance(1);
    await expect(states.open(late, BINDING)).rejects.toThrow(expect.objectContaining(INVALID));
  });

  it.each([
    ['session', { session: 'bob' }],
    ['tool', { tool: 'notes' }],
    ['arguments', { arguments: '["other"]' }],
  ])('opens for the same %s only', async (_, other) => {
    const { states } = statesOf();
    const state = await states.seal('round', BINDING, ALICE);
    await expect(states.open(state, { ...BINDING, ...other })).rejects.toThrow(
      expect.objectContaining(INVALID),
    );
    expect(await states.open(state, BINDING)).toBe('round');
  });

  it('is not good when anything of it was changed', async () => {
    const { states } = statesOf();
    const state = await states.seal('round', BINDING, ALICE);
    const bytes = Buffer.from(state.slice('login.'.length), 'base64url');
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      const forged = `login.${changed.toString('base64url')}`;
      await expect(states.open(forged, BINDING)).rejects.toThrow(expect.objectContaining(INVALID));
    }
    for (const forged of ['', 'login.', 'login.AAAA', state.slice(0, -4), `x${state}`]) {
      await expect(states.open(forged, BINDING)).rejects.toThrow(expect.objectContaining(INVALID));
    }
    expect(await states.open(state, BINDING)).toBe('round');
  });
});
