import type { KeptBytesLimits } from '../limits/kept-bytes.js';
import type { RequestContext } from './request-context.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What a 2025 client says of itself in `initialize`, kept for as long as its connection. */
export const CLIENT_INFO_LIMITS: KeptBytesLimits = {
  assuredBytes: 2 * KIB,
  maxBytes: 64 * KIB,
  sharedBytes: 8 * MIB,
};
/** The addresses that one connection, or one `subscriptions/listen`, has subscribed to. */
export const SUBSCRIPTION_LIMITS: KeptBytesLimits = {
  assuredBytes: KIB / 2,
  maxBytes: 64 * KIB,
  sharedBytes: 8 * MIB,
};
/** The last events of one 2025 connection, for clients whose stream broke. */
export const EVENT_LIMITS: KeptBytesLimits = {
  assuredBytes: 2 * KIB,
  maxBytes: 512 * KIB,
  sharedBytes: 8 * MIB,
};

/** The longest address that can be subscribed to. */
export const MAX_URI_CHARACTERS = 2048;
/** How many one connection, or one `subscriptions/listen`, may subscribe to. */
export const MAX_SUBSCRIPTIONS = 100;

/** Whom it counts for what a request makes this node keep: the user or the address. Clients on this machine: nobody. */
export function clientKeyOf({
  peer,
  principal,
}: Pick<RequestContext, 'peer' | 'principal'>): string | undefined {
  return principal ? `${principal.issuer}\n${principal.subject}` : peer;
}
