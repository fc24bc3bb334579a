import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TOKEN_FAULT_REASONS } from '../packages/sessions/src/session/session-events.js';

const text = readFileSync(new URL('../docs/access-tokens.md', import.meta.url), 'utf8');
const explained = text
  .split('\n')
  .flatMap((line) => /^\| ([^|]*) \|/.exec(line)?.[1]?.match(/`[a-z_]+`/g) ?? [])
  .map((name) => name.slice(1, -1));

describe('docs/access-tokens.md', () => {
  it('explains each reason for which a token is refused, and no other', () => {
    expect(new Set(explained)).toEqual(new Set(TOKEN_FAULT_REASONS));
  });
});
