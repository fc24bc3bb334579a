import { describe, expect, it } from 'vitest';
import { brandingSchema } from './branding.js';

const SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>';
const PNG = Buffer.from('\x89PNG\r\n\x1a\n…', 'latin1');
const WEBP = Buffer.from('RIFF\0\0\0\0WEBPVP8 ', 'latin1');

const logoOf = (type: string, contents: string | Buffer) =>
  `data:image/${type};base64,${Buffer.from(contents).toString('base64')}`;

describe('a branding', () => {
  it.each([
    ['png', PNG],
    ['webp', WEBP],
    ['svg+xml', SVG],
    ['svg+xml', `\uFEFF<?xml version="1.0"?>\n<!-- a > b -->\n<!DOCTYPE svg>\n${SVG}`],
    ['svg+xml', "<svg\n  width='9'\n  xmlns='http://www.w3.org/2000/svg'>"],
  ])('accepts a logo of the declared type: %s', (type, contents) => {
    const logo = logoOf(type, contents);
    expect(brandingSchema.parse({ logo })).toEqual({ logo });
  });

  it.each([
    ['a PNG declared as SVG', 'svg+xml', PNG],
    ['an SVG declared as PNG', 'png', SVG],
    ['a PNG declared as WebP', 'webp', PNG],
    ['text', 'png', 'hello'],
    ['an HTML page with an SVG', 'svg+xml', `<html>${SVG}</html>`],
    ['an SVG without namespace', 'svg+xml', '<svg></svg>'],
  ])('rejects a logo that is %s', (_what, type, contents) => {
    expect(() => brandingSchema.parse({ logo: logoOf(type, contents) })).toThrow(
      'a picture of the declared type',
    );
  });

  it('accepts a name in any script', () => {
    expect(brandingSchema.parse({ name: '予定表 – Ünïcode' })).toEqual({ name: '予定表 – Ünïcode' });
  });

  it.each(['Acme\u202Esetoń', 'Acme\nNotes', 'Acme\u0000'])(
    'rejects the name %j, which contains control or direction characters',
    (name) => {
      expect(() => brandingSchema.parse({ name })).toThrow('control or direction characters');
    },
  );
});
