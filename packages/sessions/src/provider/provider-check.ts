import { SessionError } from '../errors.js';
import { authorization } from './authorization-check.js';
import { endpointsOfLogins } from './metadata-fields.js';
import { clock, discovery, issuer, nameResolution, proxy, tls } from './network-checks.js';
import { ProviderConnection } from './provider-connection.js';
import { type CheckRuntime, contactProvider, type RegisteredAddresses } from './provider-contact.js';
import {
  type CheckName,
  failed,
  NO_METADATA,
  type ProviderCheck,
  type ProviderReport,
  result,
} from './provider-report.js';
import type { ProviderSettings } from './provider-settings.js';
import { RecordedRequests } from './recorded-requests.js';
import {
  backChannelLogout,
  clientAuthentication,
  identity,
  pkce,
  pushedAuthorization,
  redirectUri,
  revocation,
  scopes,
} from './registration-checks.js';

/**
 * Checks a provider without a user: discovers its metadata, sends a token request with a random code, which shows
 * whether the provider accepts the client, and the request of a login. Never rejects.
 */
export async function checkProvider(
  settings: ProviderSettings,
  addresses: RegisteredAddresses,
  runtime: CheckRuntime,
): Promise<ProviderReport> {
  const requests = new RecordedRequests(runtime.fetch, runtime.wallClock);
  // Whether the metadata has PKCE and the device flow is checked below, so that one ✗ does not hide the others.
  const lenient = { ...settings, pkce: settings.pkce ?? 'S256', deviceFlow: undefined } as const;
  const needed = runtime.isAnonymous ? [] : endpointsOfLogins(settings);
  const connection = new ProviderConnection(lenient, runtime.clock, requests.fetch, needed);
  try {
    const contact = await contactProvider(lenient, connection, { addresses, runtime });
    if (contact.discovery?.reason === 'client_key_invalid')
      return reportOf(settings.name, [failed('configuration', contact.discovery)]);
    const metadata = contact.configuration?.serverMetadata();
    const checks = [
      result('configuration', 'ok', `client ${settings.clientId} at ${settings.issuer}`),
      proxy(settings, runtime, requests),
      nameResolution(settings, contact, { runtime, requests }),
      tls(contact, requests),
      discovery(settings, contact, requests),
      issuer(settings, contact),
      ...(metadata
        ? [
            pkce(settings, metadata),
            clientAuthentication(contact),
            await authorization({ ...lenient, deviceFlow: settings.deviceFlow }, contact, addresses, runtime),
            scopes(settings, metadata),
            identity(settings, metadata),
            revocation(settings, metadata),
            pushedAuthorization(lenient, contact),
          ]
        : WITHOUT_METADATA),
      clock(settings, requests),
      redirectUri(addresses),
      backChannelLogout(addresses, metadata),
    ];
    const isShown = ({ check }: ProviderCheck) => !runtime.isAnonymous || METADATA_CHECKS.has(check);
    return reportOf(settings.name, checks.filter(isShown));
  } catch (error) {
    const message = error instanceof SessionError ? error.message : 'The check failed.';
    return reportOf(settings.name, [result('configuration', 'failed', message)]);
  }
}

const METADATA_CHECKS: ReadonlySet<CheckName> = new Set([
  'proxy',
  'name_resolution',
  'tls',
  'discovery',
  'issuer',
  'clock',
]);

function reportOf(provider: string, checks: readonly ProviderCheck[]): ProviderReport {
  return { provider, ok: checks.every((each) => each.result !== 'failed'), checks };
}

const WITHOUT_METADATA: readonly ProviderCheck[] = (
  [
    'pkce',
    'client_authentication',
    'authorization',
    'scopes',
    'identity',
    'revocation',
    'pushed_authorization',
  ] as const
).map((check) => result(check, 'unknown', NO_METADATA));
