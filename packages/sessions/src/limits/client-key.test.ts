import { describe, expect, it } from 'vitest';
import { clientKeyOf, parseAddress } from './client-key.js';

describe('the client key of an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:0201', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
  ])('is, for %s, %s [security 39]', (address, clientKey) => {
    expect(clientKeyOf(address)).toBe(clientKey);
  });

  it.each([
    '',
    'unknown',
    '192.0.2',
    '192.0.2.1:80',
    '[::1]',
    '_hidden',
    '1.2.3.4.5',
    '010.0.0.1',
    '0x7f.0.0.1',
    '1',
    '2001:db8::1::2',
  ])('is undefined for an invalid address: %j', (value) => {
    expect(clientKeyOf(value)).toBeUndefined();
    expect(parseAddress(value)).toBeUndefined();
  });
});
