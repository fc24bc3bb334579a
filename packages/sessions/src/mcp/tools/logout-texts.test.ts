import { expect, it } from 'vitest';
import { afterLogout } from './logout-texts.js';

const HERE = 'The user is logged out here.';

it.each([
  ['confirmed', [], HERE],
  ['confirmed', ['confirmed'], HERE],
  [
    'not confirmed, once for each provider',
    ['unconfirmed', 'unsupported'],
    `${HERE} The tokens may stay valid at "a" until they expire. The user can end the access there.`,
  ],
  [
    'deferred',
    ['confirmed', 'deferred'],
    `${HERE} Another login of the user keeps the access at "a", which ends with that login.`,
  ],
] as const)('the text after a logout says what its revocations mean: %s', (_what, revocations, text) => {
  expect(afterLogout(revocations.map((revocation) => ({ provider: 'a', revocation })))).toBe(text);
});

it('the text after a logout names the provider if it is one of several', () => {
  expect(afterLogout([], 'a')).toBe('The user is logged out here of "a".');
});
