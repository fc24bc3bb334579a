import type { IncomingMessage } from 'node:http';
import { type ClientKey, clientKeyOf, plainAddressOf } from '../limits/client-key.js';
import type { TrustedProxies } from './trusted-proxies.js';

/**
 * Whom a request is counted for; `undefined` where nothing is known of its connection.
 *
 * A proxy adds to `X-Forwarded-For` the address that a request came to it from; what stands before that came with
 * the request. So it is read from its end, and only as far as it was written by proxies that are trusted. The
 * header `Forwarded` (RFC 7239) is not read: whichever of the two a proxy leaves alone is the client's to write.
 */
export function clientOf(
  headers: Headers,
  incoming: IncomingMessage | undefined,
  trustedProxies: TrustedProxies,
): ClientKey | undefined {
  const connected = plainAddressOf(incoming?.socket.remoteAddress ?? '');
  if (connected === undefined) return undefined;
  const forwarded = headers.get('x-forwarded-for')?.split(',') ?? [];
  let address = connected;
  while (trustedProxies.has(address)) {
    const before = addressIn(forwarded.pop() ?? '');
    if (before === undefined) break;
    address = before;
  }
  return clientKeyOf(address);
}

/** The address in an element of the list, to which some proxies add a port. */
function addressIn(element: string): string | undefined {
  const [, bracketed, ipv4, bare = ''] =
    /^\s*(?:\[([^\]]*)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+|(\S+))\s*$/.exec(element) ?? [];
  return plainAddressOf(bracketed ?? ipv4 ?? bare);
}
