import { FAILURE_TEXTS } from '../session/provider-failure-texts.js';
import type { ProviderFailure } from '../session/provider-failures.js';
import { printable } from '../session/provider-failures.js';
import type { CheckRuntime, Contact } from './provider-contact.js';
import { failed, MAX_SHOWN_CHARACTERS, NO_METADATA, type ProviderCheck, result } from './provider-report.js';
import type { ProviderSettings } from './provider-settings.js';
import type { RecordedRequests } from './recorded-requests.js';
import { metadataOf } from './server-metadata.js';

const NOT_REACHED = 'the provider was not reached';

function failuresOf({ discovery, token, pushed }: Contact): readonly ProviderFailure[] {
  return [discovery, token, pushed].filter((each) => each !== undefined);
}

/** The proxy of requests to the provider, if there is one. */
function proxyOf(
  { issuer: address, endpoints }: ProviderSettings,
  { proxyFor }: CheckRuntime,
): string | undefined {
  return proxyFor?.(new URL(endpoints?.token ?? address));
}

export function proxy(
  settings: ProviderSettings,
  runtime: CheckRuntime,
  requests: RecordedRequests,
): ProviderCheck {
  const used = proxyOf(settings, runtime);
  if (used === undefined) return result('proxy', 'unused', 'none');
  return result('proxy', requests.wasAnswered ? 'ok' : 'unknown', used);
}

export function nameResolution(
  settings: ProviderSettings,
  contact: Contact,
  { runtime, requests }: { runtime: CheckRuntime; requests: RecordedRequests },
): ProviderCheck {
  const unresolved = failuresOf(contact).find(({ reason }) => reason === 'name_not_resolved');
  if (unresolved) return failed('name_resolution', unresolved);
  const hosts = requests.hosts.join(', ');
  return proxyOf(settings, runtime) === undefined
    ? result('name_resolution', 'ok', hosts)
    : result('name_resolution', 'unused', `${hosts}: the proxy resolves it`);
}

export function tls(contact: Contact, requests: RecordedRequests): ProviderCheck {
  const rejected = failuresOf(contact).find(({ reason }) => TLS_REASONS.has(reason));
  if (rejected) return failed('tls', rejected);
  if (requests.isPlain) return result('tls', 'unused', 'http, on loopback');
  return requests.wasAnswered
    ? result('tls', 'ok', 'the certificate is trusted')
    : result('tls', 'unknown', NOT_REACHED);
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
  if (deviceFlow && configuration && !metadataOf(configuration).device_authorization_endpoint) {
    const lacking = { provider, step: 'device', reason: 'endpoint_missing', outcome: 'refused' } as const;
    return failed('discovery', lacking);
  }
  if (!failure || failure.reason === 'issuer_mismatch') return result('discovery', 'ok', found);
  if (EARLIER_REASONS.has(failure.reason)) return result('discovery', 'unknown', NOT_REACHED);
  const check = failed('discovery', failure);
  if (!requests.wasAnswered) return check;
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
  return result('issuer', 'ok', metadataOf(configuration).issuer);
}

export function clock(
  { clockToleranceSeconds }: ProviderSettings,
  { clockDifference, wasAnswered }: RecordedRequests,
): ProviderCheck {
  if (clockDifference === undefined)
    return result('clock', 'unknown', wasAnswered ? 'the provider sent no date' : NOT_REACHED);
  const found =
    clockDifference === 0
      ? 'no difference'
      : `the clock of the provider is ${Math.abs(clockDifference)} s ${clockDifference > 0 ? 'ahead' : 'behind'}`;
  if (Math.abs(clockDifference) <= clockToleranceSeconds) return result('clock', 'ok', found);
  const advice =
    'Synchronize the clock of this machine with a time server. Only if that of the provider is wrong, raise `clockToleranceSeconds`.';
  return result('clock', 'failed', found, { advice, setting: 'clockToleranceSeconds' });
}
