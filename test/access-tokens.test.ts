import { readFileSync } from 'node:fs';
import type { TokenFaultReason } from 'mcp-sessions';
import { describe, expect, it } from 'vitest';

const text = readFileSync(new URL('../docs/access-tokens.md', import.meta.url), 'utf8');
const explained = text
  .split('\n')
  .flatMap((line) => /^\| ([^|]*) \|/.exec(line)?.[1]?.match(/`[a-z_]+`/g) ?? [])
  .map((name) => name.slice(1, -1));

/** Every reason: one that is missing here does not compile. */
const REASONS: Readonly<Record<TokenFaultReason, true>> = {
  malformed: true,
  opaque: true,
  algorithm: true,
  unknown_key: true,
  signature: true,
  issuer: true,
  audience: true,
  client: true,
  subject: true,
  expired: true,
  not_yet_valid: true,
  not_active: true,
  scope: true,
  id_token: true,
  refresh_token: true,
  token_type: true,
  key_bound: true,
};

describe('docs/access-tokens.md', () => {
  it('explains each reason for which a token is refused, and no other', () => {
    expect(new Set(explained)).toEqual(new Set(Object.keys(REASONS)));
  });
});
