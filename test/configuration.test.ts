import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { USAGE } from '../packages/server/src/usage.js';
import { DEFAULT_LIFETIMES } from '../packages/sessions/src/session/lifetimes.js';

const text = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');

/** The first cells of all tables. */
const firstCells = text.split('\n').map((line) => /^\| ([^|]*) \|/.exec(line)?.[1] ?? '');
const named = (pattern: RegExp) => new Set(firstCells.flatMap((cell) => cell.match(pattern) ?? []));
const inUsage = (pattern: RegExp) => new Set(USAGE.match(pattern));

describe('docs/configuration.md', () => {
  it('describes every environment variable of the server, and no other', () => {
    expect(named(/MCP_SESSIONS_\w+/g)).toEqual(inUsage(/MCP_SESSIONS_\w+/g));
  });

  it('describes every flag of the server, and no other', () => {
    expect(named(/--[a-z][a-z-]+/g)).toEqual(inUsage(/(?<=^ {2}|, )--[a-z-]+/gm));
  });

  it('lists every lifetime, and no other', () => {
    expect(named(/\w+Ms\b/g)).toEqual(new Set(Object.keys(DEFAULT_LIFETIMES)));
  });
});
