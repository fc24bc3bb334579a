import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SessionEvent } from '../packages/sessions/src/index.js';

const text = readFileSync(new URL('../docs/sessions.md', import.meta.url), 'utf8');

/** The compiler requires every type of event, and refuses others. */
const EVENTS: Record<SessionEvent['type'], true> = {
  'session.started': true,
  'session.signed_out': true,
  'session.expires_soon': true,
  'session.ended': true,
  'session.refused': true,
  'session.not_owned': true,
  'token.refused': true,
  'login.started': true,
  'login.failed': true,
  'login.refused': true,
  'logout.refused': true,
  'provider.failed': true,
  'account.authenticated': true,
  'account.refreshed': true,
  'account.moved': true,
  'account.refresh_failed': true,
  'account.reauthentication_required': true,
  'account.expires_soon': true,
  'account.nonconforming_answer': true,
  'account.removed': true,
  'account.revoked': true,
};

describe('docs/sessions.md', () => {
  it('lists every type of event, and no other', () => {
    const listed = text
      .split('\n')
      .flatMap((line) => /^\| ([^|]*) \|/.exec(line)?.[1]?.match(/(?<=`)[a-z]+\.[a-z_]+(?=`)/g) ?? []);
    expect(new Set(listed)).toEqual(new Set(Object.keys(EVENTS)));
  });
});
