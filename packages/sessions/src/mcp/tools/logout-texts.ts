import type { RevocationReport } from '../../session/disposal.js';

/**
 * What the model tells the user after a logout.
 * @param provider the only provider that the user has logged out of. Absent: all
 */
export function afterLogout(reports: readonly RevocationReport[], provider?: string): string {
  const open = providersOf(reports, ['unconfirmed', 'unsupported']);
  const deferred = providersOf(reports, ['deferred']);
  const texts = [`The user is logged out here${provider === undefined ? '' : ` of "${provider}"`}.`];
  if (open) {
    texts.push(`The tokens may stay valid at ${open} until they expire. The user can end the access there.`);
  }
  if (deferred) {
    texts.push(`Another login of the user keeps the access at ${deferred}, which ends with that login.`);
  }
  return texts.join(' ');
}

function providersOf(
  reports: readonly RevocationReport[],
  results: readonly RevocationReport['revocation'][],
): string {
  const names = reports
    .filter(({ revocation }) => results.includes(revocation))
    .map(({ provider }) => `"${provider}"`);
  return [...new Set(names)].join(', ');
}
