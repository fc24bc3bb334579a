import { describe, expect, it } from 'vitest';
import { itEndsLogins } from './device-polls.js';
import { ANSWERS } from './poll-answers.js';
import { playScript } from './polled-login.js';

const script = {
  era: '2026',
  isRenewal: false,
  isApproved: true,
  intervalSeconds: undefined,
  codeSeconds: 120,
  pauseMs: 0,
} as const;

describe('polls for a code', () => {
  it.each(Object.keys(ANSWERS))(
    'lead to an end that the client is told, after this answer: %s',
    async (name) => {
      expect(await playScript({ ...script, answers: [name] })).toEqual([]);
    },
  );

  itEndsLogins(8);
});
