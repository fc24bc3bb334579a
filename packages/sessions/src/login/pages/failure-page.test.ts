import { describe, expect, it } from 'vitest';
import { PROVIDER_FAILURE_REASONS } from '../../session/provider-failure-texts.js';
import { failurePage } from './failure-page.js';
import { providerUnavailablePage } from './problem-pages.js';

const BRAND = { name: 'Notes', logo: undefined };

function textOf({ html }: { html: string }): string {
  const [, main = ''] = html.split('<main>');
  return main.replaceAll(/<[^>]*>/g, '').replaceAll(/\s+/g, ' ');
}

describe('the page of a failed login', () => {
  it.each(PROVIDER_FAILURE_REASONS)('says which reason the operator finds in the log: %s', async (reason) => {
    const tell = `again, tell the operator of this server: the log has the reason ${reason}.`;
    for (const failure of ['provider_unavailable', 'provider_refused'] as const)
      expect(textOf(await failurePage(BRAND, { failure, reason }))).toContain(tell);
    const cause = { provider: 'idp', step: 'discovery', outcome: 'unavailable', reason } as const;
    const destination = { displayName: 'idp', host: 'idp.test' };
    expect(textOf(await providerUnavailablePage(BRAND, destination, { cause, keepsLogin: false }))).toContain(
      tell,
    );
  });

  it.each([
    ['provider_refused', 'the log has the reason.'],
    ['internal_error', 'the log has the error.'],
  ] as const)('says what the operator finds in the log if no reason is known: %s', async (failure, found) => {
    expect(textOf(await failurePage(BRAND, { failure }))).toContain(
      `again, tell the operator of this server: ${found}`,
    );
  });
});
