import { BlockList, isIP } from 'node:net';
import { SessionError } from '../errors.js';
import { plainAddressOf } from '../limits/client-key.js';

const BITS = { 4: 32, 6: 128 } as const;

/** The proxies whose word counts on where a request came from. */
export class TrustedProxies {
  readonly #list = new BlockList();

  /**
   * @param ranges addresses and CIDR ranges
   * @throws SessionError `configuration`
   */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) this.#add(range);
  }

  /** @param address as `plainAddressOf` returns it */
  has(address: string): boolean {
    return this.#list.check(address, familyOf(address));
  }

  #add(range: string): void {
    const [written = '', prefix, ...rest] = range.split('/');
    const address = plainAddressOf(written);
    if (address === undefined || rest.length > 0) throw unreadable(range);
    const family = familyOf(address);
    if (prefix === undefined) {
      this.#list.addAddress(address, family);
      return;
    }
    const length = /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
    const isSameFamily = isIP(written) === isIP(address);
    if (!isSameFamily || !(length <= BITS[family === 'ipv4' ? 4 : 6])) throw unreadable(range);
    if (length === 0) throw everybody(range);
    this.#list.addSubnet(address, length, family);
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}

function unreadable(range: string): SessionError {
  return new SessionError(
    'configuration',
    `"${range}" in \`trustedProxies\` is no address, such as 192.0.2.1 or 2001:db8::1, and no range, such as 10.0.0.0/8 or fd00::/8.`,
  );
}

function everybody(range: string): SessionError {
  return new SessionError(
    'configuration',
    `"${range}" in \`trustedProxies\` is everybody: anybody could say to come from anywhere. Name the proxies.`,
  );
}
