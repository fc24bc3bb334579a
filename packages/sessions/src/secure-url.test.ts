import { describe, expect, it } from 'vitest';
import { isLoopbackHost, isSecureUrl } from './secure-url.js';

describe('a loopback host', () => {
  it.each(['localhost', 'LOCALHOST', '127.0.0.1', '127.1.2.3', '::1', '[::1]', '::ffff:127.0.0.1'])(
    'is %s',
    (host) => {
      expect(isLoopbackHost(host)).toBe(true);
    },
  );

  it.each(['', 'localhost.example.com', '128.0.0.1', '127.0.0.1.example.com', '::2', '0.0.0.0'])(
    'is not "%s"',
    (host) => {
      expect(isLoopbackHost(host)).toBe(false);
    },
  );
});

describe('a secure URL', () => {
  it.each(['https://example.com', 'https://127.0.0.1', 'http://localhost:3000/path', 'http://[::1]'])(
    'is %s',
    (url) => {
      expect([isSecureUrl(url), isSecureUrl(new URL(url))]).toEqual([true, true]);
    },
  );

  it.each([
    'http://example.com',
    'ftp://localhost',
    'ws://127.0.0.1',
    'file:///etc/passwd',
    'example.com',
    '',
  ])('is not "%s"', (url) => {
    expect(isSecureUrl(url)).toBe(false);
  });
});
