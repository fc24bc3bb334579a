import { describe, expect, it } from 'vitest';
import { OpenAccess } from './open-access.js';

const near = { authorization: null, origin: 'unknown', clientKey: undefined } as const;
const far = { authorization: null, origin: 'remote', clientKey: undefined } as const;

describe('open access', () => {
  it('lets in who is on this machine, as nobody in particular', async () => {
    expect(await new OpenAccess(false).admit(near)).toEqual({ isAdmitted: true, principal: undefined });
  });

  it('refuses who is not, and says what the operator can do [security 43]', async () => {
    expect(await new OpenAccess(false).admit(far)).toEqual({
      isAdmitted: false,
      refusal: { status: 403, description: expect.stringMatching(/`access`/) },
    });
  });

  it('lets in everybody once it is open to the network by name', async () => {
    expect(await new OpenAccess(true).admit(far)).toEqual({ isAdmitted: true, principal: undefined });
  });

  it('believes nobody who shows a token: there is nobody here to say whose it is', async () => {
    const withToken = { ...near, authorization: 'Bearer somebody' };
    expect(await new OpenAccess(false).admit(withToken)).toMatchObject({ principal: undefined });
  });
});
