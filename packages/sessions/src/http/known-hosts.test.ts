import fc from 'fast-check';
import { expect, it } from 'vitest';
import { forwardingHeaderOf, USUAL_HEADERS } from './forwarding.js';
import { KnownHosts, MAX_KNOWN_HOST_CHARACTERS, MAX_KNOWN_HOSTS } from './known-hosts.js';

const publicUrl = new URL('https://mcp.example.com');

it('a host is the same when it is remembered as when it is parsed', () => {
  const known = new KnownHosts(['listed.example.com']);
  const host = fc.oneof(
    fc.constantFrom(
      'mcp.example.com:443',
      'LISTED.example.com',
      'localhost',
      '[::1]:3000',
      'evil.org',
      'a b',
      '',
    ),
    fc.webAuthority({ withPort: true, withIPv4: true, withIPv6: true }),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(host, { maxLength: 100 }), (hosts) => {
      for (const each of hosts) {
        const parsed = new KnownHosts(['listed.example.com']).get(each, publicUrl);
        expect(known.get(each, publicUrl)).toEqual(parsed);
        expect(known.get(each, publicUrl)).toEqual(parsed);
      }
    }),
  );
});

it('a host is judged anew when the public URL becomes known', () => {
  const known = new KnownHosts([]);
  expect(known.get('mcp.example.com', new URL('http://127.0.0.1:3000')).isOwn).toBe(false);
  expect(known.get('mcp.example.com', publicUrl).isOwn).toBe(true);
});

it('no more hosts are remembered than the limit, and none that is longer [security 40]', () => {
  const known = new KnownHosts([]);
  for (let count = 0; count < 10 * MAX_KNOWN_HOSTS; count++) {
    known.get(`host-${count}.example.com`, publicUrl);
    expect(known.size).toBeLessThanOrEqual(MAX_KNOWN_HOSTS);
  }
  const { size } = known;
  known.get('a'.repeat(MAX_KNOWN_HOST_CHARACTERS + 1), publicUrl);
  expect(known.size).toBe(size);
});

it.each([...USUAL_HEADERS])('the header %s does not show that a request was forwarded', (name) => {
  // Under this name it is compared with the patterns.
  expect(forwardingHeaderOf({ keys: () => [`http-${name}`] })).toBe(undefined);
});
