import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from './secret.js';
import { decodeTokenSet, encodeTokenSet, wipeTokenSet } from './token-set.js';

const text = 'tok_0123456789';

describe('Secret', () => {
  it('shows itself in no log, message or dump [security 48]', () => {
    const secret = Secret.fromString(text);
    const shown = [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect(secret, { depth: 10, showHidden: true }),
      inspect({ deep: { secret } }, { depth: 10 }),
      new Error('failed', { cause: secret }).stack ?? '',
    ];
    for (const each of shown) expect(each).not.toContain(text);
    expect(shown.slice(0, 4)).toEqual(['[secret]', '[secret]', '{"secret":"[secret]"}', '[secret]']);
    expect(secret.reveal()).toBe(text);
  });

  it('reveals nothing once wiped [security 31]', () => {
    const secret = Secret.fromString(text);
    secret.wipe();
    expect(() => secret.reveal()).toThrow('wiped');
    expect(() => secret.copyTo(Buffer.alloc(100), 0)).toThrow('wiped');
  });

  it('keeps any text, in any script', () => {
    for (const each of ['', 'a', 'žluťoučký 🐎', 'x'.repeat(5000)]) {
      expect(Secret.fromString(each).reveal()).toBe(each);
    }
  });
});

describe('token sets', () => {
  it('come back as they were, with and without a refresh token', () => {
    for (const refreshToken of [undefined, Secret.fromString('refresh')]) {
      const encoded = encodeTokenSet({ accessToken: Secret.fromString(text), refreshToken });
      const decoded = decodeTokenSet(encoded);
      expect(decoded.accessToken.reveal()).toBe(text);
      expect(decoded.refreshToken?.reveal()).toBe(refreshToken?.reveal());
      expect(encoded.every((byte) => byte === 0)).toBe(true);
    }
  });

  it('are wiped as a whole [security 31]', () => {
    const tokens = { accessToken: Secret.fromString(text), refreshToken: Secret.fromString('refresh') };
    wipeTokenSet(tokens);
    expect(() => tokens.accessToken.reveal()).toThrow('wiped');
    expect(() => tokens.refreshToken.reveal()).toThrow('wiped');
  });
});
