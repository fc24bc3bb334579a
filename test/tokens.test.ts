import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TOKEN_ANSWERS } from '../packages/sessions/src/provider/token-answer-table.js';
import type { ProviderFailureReason } from '../packages/sessions/src/session/provider-failure-texts.js';
import { settingFor } from '../packages/sessions/src/session/provider-failures.js';

/** What `provider.failed` names at a login. */
function settingsFor(reason: ProviderFailureReason | undefined): string {
  const setting = reason && settingFor({ provider: 'idp', step: 'token', reason, outcome: 'refused' });
  return setting === undefined ? '–' : setting.replaceAll(/[\w.]+/g, '`$&`');
}

const document = readFileSync(new URL('../docs/tokens.md', import.meta.url), 'utf8');

describe('docs/tokens.md', () => {
  it('has the table of token responses of the code, row by row', () => {
    const [, table = ''] =
      /\| the token endpoint answers \| outcome \| .*\n\|[ -|]+\|\n((?:\|.*\n)+)/.exec(document) ?? [];
    const rows = table
      .trim()
      .split('\n')
      .map((row) => row.split('|').map((cell) => cell.trim()))
      .map(([, ...cells]) => cells.slice(0, 4));
    expect(rows).toEqual(
      TOKEN_ANSWERS.map(({ answer, outcome, reason }) => [
        answer,
        `\`${outcome}\``,
        reason === undefined ? '–' : `\`${reason}\``,
        settingsFor(reason),
      ]),
    );
  });

  it('explains each outcome for refreshes and logins', () => {
    const outcomes = new Set(TOKEN_ANSWERS.map(({ outcome }) => outcome));
    for (const outcome of outcomes)
      expect(document).toMatch(new RegExp(`^\\| \`${outcome}\` \\| .+ \\| .+ \\|$`, 'm'));
  });
});
