import type { DeviceAuthorization, DevicePoll } from '../../provider/device-authorization.js';
import { MAX_POLL_MS } from '../../provider/timeouts.js';
import type { SealedRecord } from '../../vault/vault.js';
import type { DeviceLogin } from '../attempt-record.js';

/** The time within which a poll is sent, or not at all. */
export const SEND_WITHIN_MS = 5000;
/** The time for what a poll makes the attempt store do. */
const STORE_MS = 5000;
/** The increase of the interval after `slow_down` (RFC 8628 section 3.5). */
const SLOW_DOWN_MS = 5000;
/** The maximum pause after failed polls, unless the provider's interval or its `Retry-After` is longer. */
const MAX_PAUSE_MS = 60_000;
/** The time that {@link detectionDelayMsOf} allows for the response to a poll. */
const RESPONSE_MS = 3000;

/** The result of a poll after which the login goes on. */
export type RepeatedPoll = Exclude<
  DevicePoll,
  { readonly kind: 'granted' } | { readonly kind: 'denied' | 'expired' } | { readonly kind: 'refused' }
>;

/** The first state of a login whose codes have come. */
export function newDeviceLogin(
  { userCode, verificationUri, expiresAtMs, intervalMs }: DeviceAuthorization,
  code: SealedRecord,
  nowMs: number,
): DeviceLogin {
  const nextPollAtMs = nowMs + intervalMs;
  return {
    userCode,
    verificationUri,
    code,
    expiresAtMs,
    intervalMs,
    failures: 0,
    isPolling: false,
    nextPollAtMs,
  };
}

/** The state while a poll is in flight. No other one is sent until it has ended. */
export function whilePolling(device: DeviceLogin, nowMs: number): DeviceLogin {
  return { ...device, isPolling: true, nextPollAtMs: nowMs + SEND_WITHIN_MS + MAX_POLL_MS + STORE_MS };
}

/** The state after a poll. The pause doubles with every failed poll in a row. */
export function afterPoll(device: DeviceLogin, poll: RepeatedPoll, nowMs: number): DeviceLogin {
  if (poll.kind === 'not_sent') return { ...device, isPolling: false, nextPollAtMs: nowMs };
  const isFailed = poll.kind === 'unavailable';
  const failures = isFailed ? device.failures + 1 : 0;
  const intervalMs = poll.kind === 'slow_down' ? slowedDown(device, poll.intervalSeconds) : device.intervalMs;
  const { retryAfterSeconds = 0 } = isFailed ? poll.failure : poll;
  const maxPauseMs = Math.max(intervalMs, MAX_PAUSE_MS);
  const pauseMs = Math.max(Math.min(intervalMs * 2 ** failures, maxPauseMs), retryAfterSeconds * 1000);
  return { ...device, intervalMs, failures, isPolling: false, nextPollAtMs: nowMs + pauseMs };
}

/** The maximum time until this server detects that the user has approved. */
export function detectionDelayMsOf(device: DeviceLogin, nowMs: number): number {
  const { isPolling, intervalMs, nextPollAtMs, expiresAtMs } = device;
  const isLast = isPolling || nextPollAtMs >= expiresAtMs;
  return Math.max(isLast ? intervalMs : nextPollAtMs - nowMs, 0) + RESPONSE_MS;
}

function slowedDown({ intervalMs }: DeviceLogin, intervalSeconds = 0): number {
  return Math.max(intervalMs + SLOW_DOWN_MS, intervalSeconds * 1000);
}
