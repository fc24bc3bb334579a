import type { Provider } from '../provider/provider.js';
import type { PendingAttempt } from './attempt-record.js';
import { detectionDelayMsOf } from './device/device-polls.js';

/** A pending login, for the session that started it. */
export interface PendingLogin {
  readonly provider: string;
  /** The provider's name on the login pages. */
  readonly providerName: string;
  /** The address at which the user logs in. */
  readonly loginUrl: string;
  /** The code that the user enters at `loginUrl`; absent unless the device flow is used. */
  readonly userCode: string | undefined;
  readonly expiresInSeconds: number;
  /** The maximum time until this server detects that the user has logged in. */
  readonly detectionDelayMs: number;
  /** Whether the browser shows a confirmation code that the session has to present. */
  readonly needsCode: boolean;
  /** Whether the user logs in again although the login is valid. */
  readonly isRenewal: boolean;
}

/** The pending login that a call to start one has returned. */
export interface StartedLogin extends PendingLogin {
  /** Whether this call has started it; `false` if it was pending before. */
  readonly isNew: boolean;
}

/** What a description of an attempt depends on besides the attempt. */
export interface PendingLoginContext {
  readonly provider: Pick<Provider, 'displayName'>;
  /** The address of this server, for the link. */
  readonly publicUrl: URL;
  readonly nowMs: number;
}

/** Describes a login attempt. */
export function pendingLoginOf(
  attempt: PendingAttempt,
  { provider: { displayName }, publicUrl, nowMs }: PendingLoginContext,
): PendingLogin {
  const { id, provider, unconfirmed, expiresAtMs, prompt, device } = attempt;
  const endsAtMs =
    unconfirmed?.expiresAtMs ?? Math.min(expiresAtMs, device?.expiresAtMs ?? Number.POSITIVE_INFINITY);
  return {
    provider,
    providerName: displayName,
    loginUrl: device?.verificationUri ?? new URL(`./connect/${id}`, publicUrl).href,
    userCode: device?.userCode,
    expiresInSeconds: Math.max(0, Math.round((endsAtMs - nowMs) / 1000)),
    detectionDelayMs: device ? detectionDelayMsOf(device, nowMs) : 0,
    needsCode: unconfirmed !== undefined,
    isRenewal: prompt !== undefined,
  };
}
