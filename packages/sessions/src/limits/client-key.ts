import { isIP, SocketAddress } from 'node:net';

declare const clientKeyBrand: unique symbol;

/**
 * The key that the limits of a client count by: an IPv4 address, or the first 64 bits of an IPv6 address. Networks
 * usually assign all addresses with the same 64 bits to one client (RFC 6177).
 */
export type ClientKey = string & { readonly [clientKeyBrand]: true };

/** An address without a zone. IPv6 is in the form of RFC 5952. */
export interface IpAddress {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
}

/** An IPv4 address that is mapped to IPv6 (RFC 4291 section 2.5.5.2). */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;
const GROUPS = 8;
const NETWORK_GROUPS = 4;

/**
 * Parses an address and drops its zone. An IPv4 address that is mapped to IPv6 becomes IPv4. `undefined` if the address
 * is not valid.
 */
export function parseAddress(value: string): IpAddress | undefined {
  const address = value.replace(/%.*$/, '');
  const version = isIP(address);
  if (version === 0) return undefined;
  if (version === 4) return { family: 'ipv4', address };
  const ipv6 = new SocketAddress({ address, family: 'ipv6' }).address;
  const mapped = MAPPED.exec(ipv6)?.[1];
  return mapped === undefined ? { family: 'ipv6', address: ipv6 } : { family: 'ipv4', address: mapped };
}

/** The key of an address; `undefined` if the address is not valid. */
export function clientKeyOf(value: string | IpAddress): ClientKey | undefined {
  const parsed = typeof value === 'string' ? parseAddress(value) : value;
  if (!parsed) return undefined;
  const { family, address } = parsed;
  // All client keys come from here.
  return (family === 'ipv4' ? address : `${networkOf(address)}::/64`) as ClientKey;
}

/** The first 64 bits of an IPv6 address. */
function networkOf(address: string): string {
  const [before = [], after] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = after ? new Array<string>(GROUPS - before.length - after.length).fill('0') : [];
  return [...before, ...zeros, ...(after ?? [])].slice(0, NETWORK_GROUPS).join(':');
}
