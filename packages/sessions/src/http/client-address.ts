import { BlockList, isIP } from 'node:net';
import { SessionError } from '../errors.js';
import { type ClientKey, clientKeyOf, type IpAddress, parseAddress } from '../limits/client-key.js';
import type { GuardedRequest } from './guards.js';

/** The proxies whose `X-Forwarded-For` names the client of a request. */
export class TrustedProxies {
  /** By family: one list would also compare addresses with the ranges of the other. */
  readonly #ranges = { ipv4: new BlockList(), ipv6: new BlockList() } as const;
  readonly #isEmpty: boolean;

  /**
   * @param ranges addresses and CIDR ranges
   * @throws SessionError `configuration`
   */
  constructor(ranges: readonly string[]) {
    this.#isEmpty = ranges.length === 0;
    for (const { family, address, bits } of ranges.map(parseRange)) {
      this.#ranges[family].addSubnet(address, bits, family);
    }
  }

  has({ family, address }: IpAddress): boolean {
    return !this.#isEmpty && this.#ranges[family].check(address, family);
  }
}

/**
 * The client key of a request; `undefined` if the address of its connection is not known.
 *
 * A proxy appends the address of its client to `X-Forwarded-For`. The entries before that came with the request, and
 * the client may have written them. So this reads the header from its end, as far as trusted proxies have written it.
 * It does not read `Forwarded` (RFC 7239): a proxy that writes one of the two headers may pass on the other one as the
 * client wrote it.
 */
export function clientKeyOfRequest(
  { headers, incoming }: Pick<GuardedRequest, 'headers' | 'incoming'>,
  trustedProxies: TrustedProxies,
): ClientKey | undefined {
  let address = parseAddress(incoming?.socket.remoteAddress ?? '');
  if (!address) return undefined;
  if (!trustedProxies.has(address)) return clientKeyOf(address);
  const forwarded = headers.get('x-forwarded-for')?.split(',') ?? [];
  while (trustedProxies.has(address)) {
    const previous = parseForwarded(forwarded.pop() ?? '');
    if (!previous) break;
    address = previous;
  }
  return clientKeyOf(address);
}

/** Parses an entry of `X-Forwarded-For`. Some proxies append a port. */
function parseForwarded(entry: string): IpAddress | undefined {
  const [, bracketed, ipv4, bare = ''] =
    /^\s*(?:\[([^\]]*)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+|(\S+))\s*$/.exec(entry) ?? [];
  return parseAddress(bracketed ?? ipv4 ?? bare);
}

interface AddressRange extends IpAddress {
  /** The length of the prefix. */
  readonly bits: number;
}

const MAX_BITS = { ipv4: 32, ipv6: 128 } as const;

function parseRange(range: string): AddressRange {
  const [, address = '', length] = /^([^/%]*)(?:\/(0|[1-9]\d*))?$/.exec(range) ?? [];
  const parsed = parseAddress(address);
  const maxBits = parsed ? MAX_BITS[parsed.family] : 0;
  if (parsed && length === undefined) return { ...parsed, bits: maxBits };
  // The prefix of a mapped IPv4 address would count other bits than that of the address it becomes.
  const isMapped = parsed?.family === 'ipv4' && isIP(address) === 6;
  const bits = Number(length);
  if (!parsed || isMapped || bits > maxBits) {
    throw new SessionError(
      'configuration',
      `"${range}" in \`trustedProxies\` is no address, such as 192.0.2.1 or 2001:db8::1, and no range, such as 10.0.0.0/8 or fd00::/8.`,
    );
  }
  if (bits > 0) return { ...parsed, bits };
  throw new SessionError(
    'configuration',
    `"${range}" in \`trustedProxies\` contains all addresses, so every client could claim any address. Name the proxies.`,
  );
}
