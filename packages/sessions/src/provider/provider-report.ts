import { FAILURE_TEXTS } from '../session/provider-failure-texts.js';
import { type ProviderFailure, printable, settingFor } from '../session/provider-failures.js';

/** What a check looks at. */
export type CheckName =
  | 'configuration'
  | 'proxy'
  | 'name_resolution'
  | 'tls'
  | 'discovery'
  | 'issuer'
  | 'pkce'
  | 'client_authentication'
  | 'authorization'
  | 'scopes'
  | 'identity'
  | 'revocation'
  | 'pushed_authorization'
  | 'clock'
  | 'redirect_uri'
  | 'back_channel_logout';

/** What one check found. Contains no secret. */
export interface ProviderCheck {
  readonly check: CheckName;
  /** `unknown`: only a login shows it. `unused`: the configuration does not use it. */
  readonly result: 'ok' | 'failed' | 'unknown' | 'unused';
  /** What is there, in a few words. Parts may be text of the provider, made printable and cut. */
  readonly found: string;
  /** What to compare or to change. Absent if there is nothing to do. */
  readonly advice?: string;
  /** The options or environment variables that can end a failure, separated by commas. */
  readonly setting?: string;
  /** The request that failed, or the answer that is not valid, as in the event `provider.failed`. */
  readonly failure?: ProviderFailure;
}

/** The checks of one provider. */
export interface ProviderReport {
  /** The name of the provider; `access` and `access.signIn` for the authorization server of the clients. */
  readonly provider: string;
  /** Whether no check has failed. */
  readonly ok: boolean;
  readonly checks: readonly ProviderCheck[];
}

/** What a check says that needs the metadata and does not have it. */
export const NO_METADATA = 'the metadata of the provider is not known';
/** The maximum length of what a check says it found. */
export const MAX_SHOWN_CHARACTERS = 300;

export function result(
  check: CheckName,
  outcome: ProviderCheck['result'],
  found: string,
  more: Pick<ProviderCheck, 'advice' | 'setting'> = {},
): ProviderCheck {
  return { check, result: outcome, found: printable(found, MAX_SHOWN_CHARACTERS), ...more };
}

/** A check that failed as a request of a login would fail. */
export function failed(check: CheckName, failure: ProviderFailure): ProviderCheck {
  const setting = settingFor(failure);
  const { short, advice } = FAILURE_TEXTS[failure.reason];
  const { claim, expected, received, code, status, oauthError, oauthDescription, endpoint } = failure;
  const details = Object.entries({
    endpoint,
    status,
    code,
    oauthError,
    oauthDescription,
    claim,
    expected,
    received,
  })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}`);
  const found = details.length > 0 ? `${short} (${details.join(', ')})` : short;
  const more = { advice, ...(setting !== undefined && { setting }) };
  return { ...result(check, 'failed', found, more), failure };
}
