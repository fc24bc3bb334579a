import { isIP } from 'node:net';

declare const clientKeyBrand: unique symbol;

/**
 * Whom a request is counted for: an IPv4 address, or the first 64 bits of an IPv6 one, of which whoever has one
 * usually has all (RFC 6177).
 */
export type ClientKey = string & { readonly [clientKeyBrand]: true };

/** Whom an address is counted for; `undefined` if it is none. */
export function clientKeyOf(value: string): ClientKey | undefined {
  const address = plainAddressOf(value);
  if (address === undefined) return undefined;
  // The brand is made here and nowhere else.
  if (isIP(address) === 4) return address as ClientKey;
  return `${groupsOf(address).slice(0, 4).join(':')}::/64` as ClientKey;
}

/** An address without a zone; one that is IPv4 inside IPv6 as the former (RFC 4291 section 2.5.5.2). */
export function plainAddressOf(value: string): string | undefined {
  const address = value.replace(/%.*$/, '');
  if (isIP(address) !== 6) return isIP(address) === 4 ? address : undefined;
  const groups = groupsOf(address);
  const isMapped = groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff';
  return isMapped ? groups.slice(6).flatMap(bytesOf).join('.') : address;
}

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  const [before = [], after = []] = new URL(`http://[${address}]`).hostname
    .slice(1, -1)
    .split('::')
    .map((part) => part.split(':').filter(Boolean));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after];
}

function bytesOf(group: string): [number, number] {
  const value = Number.parseInt(group, 16);
  return [value >> 8, value & 0xff];
}
