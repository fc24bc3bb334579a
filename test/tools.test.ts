import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SessionErrorCode } from '../packages/sessions/src/index.js';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const page = read('../docs/tools.md');
const [, testing = ''] = page.split('## Testing\n');

/** The compiler requires every code, and refuses others. */
const CODES: Record<SessionErrorCode, true> = {
  login_required: true,
  reauthentication_required: true,
  login_failed: true,
  unknown_provider: true,
  signed_out: true,
  provider_unavailable: true,
  store_unavailable: true,
  provider_refused: true,
  origin_not_allowed: true,
  limit_reached: true,
  too_many_requests: true,
  no_request: true,
  configuration: true,
  sealed_record_invalid: true,
};

describe('docs/tools.md', () => {
  it('explains every code of an error, and no other', () => {
    const [, errors = ''] = /## Errors\n([\s\S]*?)\n## /.exec(page) ?? [];
    const codes = [...errors.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, code]) => code);
    expect(codes.sort()).toEqual(Object.keys(CODES).sort());
  });

  it('shows examples/testing.ts as its test', () => {
    expect(/```ts\n([\s\S]*?)```/.exec(testing)?.[1]).toBe(read('../examples/testing.ts'));
  });
});

describe('examples/testing.ts', () => {
  it('logs in and calls a tool, and its assertions hold', async () => {
    await expect(import('../examples/testing.js')).resolves.toBeDefined();
  });
});
