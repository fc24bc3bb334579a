import { describe, expect, it } from 'vitest';
import { OpenAccess } from './access.js';

const local = { authorization: null, origin: 'unknown', clientKey: undefined } as const;
const remote = { authorization: null, origin: 'remote', clientKey: undefined } as const;

describe('open access', () => {
  it('admits requests of this machine, without a principal', () => {
    expect(new OpenAccess(false).admit(local)).toEqual({ isAdmitted: true, principal: undefined });
  });

  it('refuses remote requests, and names the option that admits them [security 43]', () => {
    expect(new OpenAccess(false).admit(remote)).toEqual({
      isAdmitted: false,
      refusal: { status: 403, description: expect.stringMatching(/`access`/) },
    });
  });

  it('admits remote requests when it is open to the network', () => {
    expect(new OpenAccess(true).admit(remote)).toEqual({ isAdmitted: true, principal: undefined });
  });

  it('ignores access tokens, because no authorization server can verify them', () => {
    const withToken = { ...local, authorization: 'Bearer token' };
    expect(new OpenAccess(false).admit(withToken)).toMatchObject({ principal: undefined });
  });
});
