import type { MemoryQuotaLimits } from '../../limits/memory-quota.js';
import type { RequestContext } from './context.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * The client information of a 2025 connection (the parameters of `initialize`), kept as long as the connection: as text,
 * and by its server object as values.
 */
export const CLIENT_INFO_LIMITS: MemoryQuotaLimits = {
  guaranteedBytes: 2 * KIB,
  maxBytes: 96 * KIB,
  sharedBytes: 8 * MIB,
};
/** The URIs that one connection, or one `subscriptions/listen`, has subscribed to. */
export const SUBSCRIPTION_LIMITS: MemoryQuotaLimits = {
  guaranteedBytes: KIB / 2,
  maxBytes: 64 * KIB,
  sharedBytes: 8 * MIB,
};
/** The last events of one 2025 connection, for resumption. */
export const EVENT_LIMITS: MemoryQuotaLimits = {
  guaranteedBytes: 2 * KIB,
  maxBytes: 512 * KIB,
  sharedBytes: 8 * MIB,
};

/** Requests whose handlers are running: a fixed size for each request, and its parameters. */
export const CALL_LIMITS: MemoryQuotaLimits = {
  guaranteedBytes: 0,
  maxBytes: 64 * MIB,
  sharedBytes: 256 * MIB,
};
/** The measured size of a request in flight without its parameters. In 2026 each request has its own server object. */
export const CALL_BYTES: { readonly ofConnection: number; readonly byItself: number } = {
  ofConnection: 40 * KIB,
  byItself: 128 * KIB,
};

/** The maximum length of a URI in a subscription. */
export const MAX_URI_CHARACTERS = 2048;
/** The maximum number of subscriptions of one connection, or one `subscriptions/listen`. */
export const MAX_SUBSCRIPTIONS = 100;

/** The user or address that the data of a request counts for; `undefined` for clients on this machine. */
export function quotaKeyOf({
  clientKey,
  principal,
}: Pick<RequestContext, 'clientKey' | 'principal'>): string | undefined {
  return principal ? `${principal.issuer}\n${principal.subject}` : clientKey;
}
