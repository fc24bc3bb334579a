import { FAILURE_TEXTS } from '../session/provider-failure-texts.js';
import type { ProviderFailure } from '../session/provider-failures.js';
import { printable } from '../session/provider-failures.js';
import type { CheckRuntime, Contact } from './provider-contact.js';
import { failed, MAX_SHOWN_CHARACTERS, NO_METADATA, type ProviderCheck, result } from './provider-report.js';
import type { ProviderSettings } from './provider-settings.js';
import type { RecordedRequests } from './recorded-requests.js';

function failuresOf({ discovery, token, pushed }: Contact): readonly ProviderFailure[] {
  return [discovery, token, pushed].filter((each) => each !== undefined);
}

export function proxy(
  { issuer: address, endpoints }: ProviderSettings,
  { proxyFor }: CheckRuntime,
): ProviderCheck {
  const used = proxyFor?.(new URL(endpoints?.token ?? address));
  return used === undefined ? result('proxy', 'unused', 'none') : result('proxy', 'ok', used);
}

export function nameResolution(contact: Contact, requests: RecordedRequests): ProviderCheck {
  const unresolved = failuresOf(contact).find(({ reason }) => reason === 'name_not_resolved');
  if (unresolved) return failed('name_resolution', unresolved);
  return result('name_resolution', 'ok', requests.hosts.join(', '));
}

export function tls(contact: Contact, requests: RecordedRequests): ProviderCheck {
  const rejected = failuresOf(contact).find(({ reason }) => TLS_REASONS.has(reason));
  if (rejected) return failed('tls', rejected);
  if (requests.isPlain) return result('tls', 'unused', 'http, on loopback');
  return requests.answers.some(({ status }) => status !== undefined)
    ? result('tls', 'ok', 'the certificate is trusted')
    : result('tls', 'unknown', 'the provider was not reached');
}

const TLS_REASONS: ReadonlySet<string> = new Set(['certificate_untrusted', 'tls_failed']);
/** Reasons that have a check of their own before discovery. */
export const EARLIER_REASONS: ReadonlySet<string> = new Set([...TLS_REASONS, 'name_not_resolved']);

export function discovery(
  { name: provider, endpoints, deviceFlow }: ProviderSettings,
  contact: Contact,
  requests: RecordedRequests,
): ProviderCheck {
  if (endpoints) return result('discovery', 'unused', 'not needed: the endpoints are configured');
  const answers = requests.answers.filter(({ isForm }) => !isForm);
  const found = answers.map(({ address, answered }) => `${address}: ${answered}`).join('; ');
  const { discovery: failure, configuration } = contact;
  if (deviceFlow && configuration && !configuration.serverMetadata().device_authorization_endpoint) {
    const lacking = { provider, step: 'device', reason: 'endpoint_missing', outcome: 'refused' } as const;
    return failed('discovery', lacking);
  }
  if (!failure || failure.reason === 'issuer_mismatch') return result('discovery', 'ok', found);
  if (EARLIER_REASONS.has(failure.reason))
    return result('discovery', 'unknown', 'the provider was not reached');
  const check = failed('discovery', failure);
  // The address and the status are part of the list.
  const what = failure.reason === 'discovery_failed' ? FAILURE_TEXTS.discovery_failed.short : check.found;
  return { ...check, found: printable(`${what}: ${found}`, 2 * MAX_SHOWN_CHARACTERS) };
}

export function issuer(
  { endpoints }: ProviderSettings,
  { discovery: failure, configuration }: Contact,
): ProviderCheck {
  if (failure?.reason === 'issuer_mismatch') return failed('issuer', failure);
  if (endpoints) return result('issuer', 'unused', 'not needed: the endpoints are configured');
  if (!configuration) return result('issuer', 'unknown', NO_METADATA);
  return result('issuer', 'ok', configuration.serverMetadata().issuer);
}

export function clock(
  { clockToleranceSeconds }: ProviderSettings,
  { clockDifference }: RecordedRequests,
): ProviderCheck {
  if (clockDifference === undefined) return result('clock', 'unknown', 'the provider sent no date');
  const found =
    clockDifference === 0
      ? 'no difference'
      : `the clock of the provider is ${Math.abs(clockDifference)} s ${clockDifference > 0 ? 'ahead' : 'behind'}`;
  if (Math.abs(clockDifference) <= clockToleranceSeconds) return result('clock', 'ok', found);
  const advice =
    'Synchronize the clock of this machine. If that of the provider is wrong, raise the tolerance.';
  return result('clock', 'failed', found, { advice, setting: 'clockToleranceSeconds' });
}
