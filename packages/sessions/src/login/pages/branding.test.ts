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
  ])('has a logo that contains what it says: %s', (type, contents) => {
    const logo = logoOf(type, contents);
    expect(brandingSchema.parse({ logo })).toEqual({ logo });
  });

  it.each([
    ['a PNG that says it is an SVG', 'svg+xml', PNG],
    ['an SVG that says it is a PNG', 'png', SVG],
    ['a PNG that says it is a WebP', 'webp', PNG],
    ['text', 'png', 'hello'],
    ['a page with an SVG in it', 'svg+xml', `<html>${SVG}</html>`],
    ['an SVG that browsers do not draw', 'svg+xml', '<svg></svg>'],
  ])('is refused with %s for a logo', (_what, type, contents) => {
    expect(() => brandingSchema.parse({ logo: logoOf(type, contents) })).toThrow('the kind of picture');
  });

  it('has a name in any script, shown as it is', () => {
    expect(brandingSchema.parse({ name: '予定表 – Ünïcode' })).toEqual({ name: '予定表 – Ünïcode' });
  });

  it.each(['Acme\u202Esetoń', 'Acme\nNotes', 'Acme\u0000'])(
    'is refused with the name %j, which would be shown otherwise',
    (name) => {
      expect(() => brandingSchema.parse({ name })).toThrow('control or direction characters');
    },
  );
});
