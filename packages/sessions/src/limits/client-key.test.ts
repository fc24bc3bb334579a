import fc from 'fast-check';
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

  it('is the first 64 bits in every notation of an IPv6 address [security 39]', () => {
    const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
    const groups = fc.array(group, { minLength: 8, maxLength: 8 }).filter(([first]) => first !== 0);
    const notation = fc.record({
      groups,
      isUpperCase: fc.boolean(),
      isPadded: fc.boolean(),
      hasIpv4: fc.boolean(),
    });
    fc.assert(
      fc.property(notation, ({ groups, isUpperCase, isPadded, hasIpv4 }) => {
        const key = `${groups
          .slice(0, 4)
          .map((each) => each.toString(16))
          .join(':')}::/64`;
        const parts = groups.map((each) => each.toString(16).padStart(isPadded ? 4 : 1, '0'));
        const bytes = groups.slice(6).flatMap((each) => [each >> 8, each & 0xff]);
        const full = (hasIpv4 ? [...parts.slice(0, 6), bytes.join('.')] : parts).join(':');
        const shortened = full.replace(/:(0+:)+/, '::');
        for (const address of [full, shortened]) {
          expect(clientKeyOf(isUpperCase ? address.toUpperCase() : address)).toBe(key);
        }
      }),
    );
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
