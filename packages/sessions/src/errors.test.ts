import { expect, it } from 'vitest';
import { formatWait, tooManyRequests } from './errors.js';

it.each([
  [1, 'a second'],
  [2, '2 seconds'],
  [120, '120 seconds'],
  [121, '3 minutes'],
  [600, '10 minutes'],
])('a wait of %i seconds is %s', (seconds, words) => {
  expect(formatWait(seconds)).toBe(words);
  expect(tooManyRequests('Too many.', seconds).message).toBe(`Too many. Try again in ${words}.`);
});
