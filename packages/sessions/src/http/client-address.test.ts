import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { type IpAddress, parseAddress } from '../limits/client-key.js';
import { clientKeyOfRequest, TrustedProxies } from './client-address.js';

const trusted = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);

/** The parts of a request that are read. A real request cannot come from another machine in a test. */
function clientBehind(remoteAddress: string | undefined, forwardedFor?: string, others = {}) {
  const headers = new Headers({ ...others, ...(forwardedFor && { 'x-forwarded-for': forwardedFor }) });
  return clientKeyOfRequest({ headers, incoming: { socket: { remoteAddress } } as IncomingMessage }, trusted);
}

describe('the client key of a request', () => {
  it('is the address of its connection, whatever its headers say, unless that is a trusted proxy [security 39]', () => {
    expect(clientBehind('198.51.100.1')).toBe('198.51.100.1');
    expect(clientBehind('198.51.100.1', '203.0.113.9')).toBe('198.51.100.1');
    expect(clientBehind('127.0.0.1', '203.0.113.9')).toBe('127.0.0.1');
    expect(clientBehind('::ffff:198.51.100.1', '203.0.113.9')).toBe('198.51.100.1');
  });

  it.each([
    ['10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['fd00::1', '2001:db8:1:2:3::4', '2001:db8:1:2::/64'],
    ['192.0.2.7', '[2001:db8:1:2:3::4]:443', '2001:db8:1:2::/64'],
    ['192.0.2.7', '203.0.113.9:50000', '203.0.113.9'],
    ['192.0.2.7', '203.0.113.9, 10.0.0.1,10.0.0.2', '203.0.113.9'],
    ['192.0.2.7', '10.0.0.9, 10.0.0.1', '10.0.0.9'],
    ['192.0.2.7', undefined, '192.0.2.7'],
  ])('is the address that trusted proxies name: %s, %s [security 39]', (proxy, forwardedFor, client) => {
    expect(clientBehind(proxy, forwardedFor)).toBe(client);
  });

  it('is never an address that the client may have written [security 39]', () => {
    expect(clientBehind('10.0.0.1', '1.1.1.1, 203.0.113.9')).toBe('203.0.113.9');
    expect(clientBehind('10.0.0.1', '1.1.1.1, 203.0.113.9, 10.0.0.2')).toBe('203.0.113.9');
    expect(
      clientBehind('10.0.0.1', '203.0.113.9', { forwarded: 'for=1.1.1.1', 'x-real-ip': '1.1.1.1' }),
    ).toBe('203.0.113.9');
  });

  it.each([
    'unknown',
    '',
    ',',
    '1.2.3.4, nonsense',
    '1.2.3.4,',
    '_hidden',
    '<script>',
    '1.2.3',
    '0x7f.1',
    '010.0.0.1',
  ])('is the address of the proxy if its header is not readable: %j', (forwardedFor) => {
    expect(clientBehind('10.0.0.1', forwardedFor)).toBe('10.0.0.1');
  });

  it('is undefined without a connection, or with one that has no address', () => {
    expect(clientBehind(undefined, '203.0.113.9')).toBeUndefined();
    const headers = new Headers({ 'x-forwarded-for': '203.0.113.9' });
    expect(clientKeyOfRequest({ headers, incoming: undefined }, trusted)).toBeUndefined();
  });
});

describe('trusted proxies', () => {
  it.each([
    '',
    'proxy.example.com',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    'fd00::/129',
    '10.0.0.0/8/8',
    '10.0.0.1:80',
    '10/8',
    '0xa.0.0.0/8',
    '::ffff:10.0.0.0/104',
    // Some parsers read octal numbers.
    '10.0.0.0/08',
    // Without its zone, the address would be trusted on every interface.
    'fe80::1%eth0',
    'fe80::1%eth0/64',
  ])('are addresses and ranges, not %j', (range) => {
    expect(() => new TrustedProxies([range])).toThrow(`"${range}" in \`trustedProxies\` is no address`);
  });

  it.each([
    ['10.9.9.9/8', '10.255.0.1', '11.0.0.1'],
    ['192.0.2.7', '192.0.2.7', '192.0.2.8'],
    ['fd00::1/8', 'fdff::2', 'fe00::1'],
    // A list of both families would compare the bits of an IPv4 address with this range.
    ['::/8', '::1', '0.0.0.1'],
    ['0.0.0.0/8', '0.0.0.1', '::1'],
  ])('are the addresses of a range, %s: %s and not %s [security 39]', (range, address, other) => {
    const proxies = new TrustedProxies([range]);
    const isTrusted = [address, other].map((each) => proxies.has(parseAddress(each) as IpAddress));
    expect(isTrusted).toEqual([true, false]);
  });

  it.each(['0.0.0.0/0', '::/0'])('may not contain all addresses: %s', (range) => {
    expect(() => new TrustedProxies([range])).toThrow('Name the proxies');
  });
});
