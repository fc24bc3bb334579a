import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ERAS } from '../../support/transcribed-server.js';
import { ANSWERS } from './poll-answers.js';
import { playScript, type Script } from './polled-login.js';

const names = Object.keys(ANSWERS);
const goingOn = names.filter((name) => !(ANSWERS[name]?.meaning instanceof RegExp));

const script: fc.Arbitrary<Script> = fc.record({
  era: fc.constantFrom(...ERAS),
  isRenewal: fc.boolean(),
  // Most answers end the login.
  answers: fc
    .tuple(
      fc.array(fc.constantFrom(...goingOn), { maxLength: 8 }),
      fc.array(fc.constantFrom(...names), { maxLength: 2 }),
    )
    .map((parts) => parts.flat()),
  isApproved: fc.boolean(),
  intervalSeconds: fc.constantFrom(undefined, 1, 5, 20),
  codeSeconds: fc.constantFrom(20, 60, 300, 900),
  pauseMs: fc.constantFrom(0, 3000, 40_000),
});

/** Whether logins by a code end as they should, whatever the provider answers. */
export function itEndsLogins(numRuns: number): void {
  it(`end each login with a next step, and poll as seldom as demanded, in ${numRuns} logins`, async () => {
    await fc.assert(
      fc.asyncProperty(script, async (each) => {
        expect(await playScript(each)).toEqual([]);
      }),
      { numRuns },
    );
  });
}
