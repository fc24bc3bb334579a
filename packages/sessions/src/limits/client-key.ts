import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

declare const clientKeyBrand: unique symbol;

/**
 * The key that the limits of a client count by: an IPv4 address, or the first 64 bits of an IPv6 address. Networks
 * usually assign all addresses with the same 64 bits to one client (RFC 6177).
 */
export type ClientKey = string & { readonly [clientKeyBrand]: true };

export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Parses an address and drops its zone. An IPv4 address that is mapped to IPv6 becomes IPv4 (RFC 4291 section 2.5.5.2).
 * `undefined` if the address is not valid.
 */
export function parseAddress(value: string): IpAddress | undefined {
  const address = value.replace(/%.*$/, '');
  // Without this check, octal, hexadecimal and shortened IPv4 addresses were valid.
  return isIP(address) === 0 ? undefined : ipaddr.process(address);
}

/** The key of an address; `undefined` if the address is not valid. */
export function clientKeyOf(value: string | IpAddress): ClientKey | undefined {
  const address = typeof value === 'string' ? parseAddress(value) : value;
  if (!address) return undefined;
  const key =
    'parts' in address ? `${address.parts.slice(0, 4).map(inHex).join(':')}::/64` : address.toString();
  // All client keys come from here.
  return key as ClientKey;
}

function inHex(group: number): string {
  return group.toString(16);
}
