import { z } from 'zod';

/** The name and logo on the pages of a login. */
export interface Branding {
  /** Up to 80 characters. Default: the server's `title`, or else its `name`. */
  readonly name?: string | undefined;
  /**
   * A picture as a `data:` URL in base64: PNG, SVG or WebP, up to 64 KiB. It is shown 40 pixels high and at most
   * 160 wide, on a light and on a dark background. Default: none.
   */
  readonly logo?: string | undefined;
}

/** {@link Branding}, validated, with all defaults. */
export interface Brand {
  readonly name: string;
  readonly logo: string | undefined;
}

const MAX_NAME_LENGTH = 80;
/** Every page contains it, also over slow networks. */
const MAX_LOGO_BYTES = 64 * 1024;

const LOGO_PREFIX = /^data:image\/(png|svg\+xml|webp);base64,/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export const brandingSchema: z.ZodType<Branding> = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1)
    .max(MAX_NAME_LENGTH)
    .regex(/^\P{C}*$/u, 'must not have control or direction characters')
    .optional(),
  logo: z
    .string()
    .refine(isPicture, {
      message: 'must be a data: URL of a PNG, SVG or WebP in base64, such as data:image/png;base64,…',
      abort: true,
    })
    .refine((logo) => bytesOf(logo).length <= MAX_LOGO_BYTES, {
      message: 'must be a picture of at most 64 KiB',
      abort: true,
    })
    .refine(hasDeclaredType, 'must contain a picture of the declared type; an SVG needs the xmlns attribute')
    .optional(),
});

function isPicture(logo: string): boolean {
  return LOGO_PREFIX.test(logo) && BASE64.test(dataOf(logo));
}

const PNG_SIGNATURE = '\x89PNG\r\n\x1a\n';
/** An `svg` element after a declaration, comments and a document type, which XML allows before it. */
const SVG_START = /^\uFEFF?\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!DOCTYPE[^>[]*>\s*)*<svg\b[^>]*>/s;
/** Browsers do not draw an SVG without it. */
const SVG_NAMESPACE = /\sxmlns\s*=\s*["']http:\/\/www\.w3\.org\/2000\/svg["']/;

/** Otherwise only users would notice a picture that browsers cannot draw. */
function hasDeclaredType(logo: string): boolean {
  const bytes = bytesOf(logo);
  const start = bytes.toString('latin1', 0, 12);
  switch (LOGO_PREFIX.exec(logo)?.[1]) {
    case 'png':
      return start.startsWith(PNG_SIGNATURE);
    case 'webp':
      return start.startsWith('RIFF') && start.endsWith('WEBP');
    default:
      return SVG_NAMESPACE.test(SVG_START.exec(bytes.toString('utf8'))?.[0] ?? '');
  }
}

function bytesOf(logo: string): Buffer {
  return Buffer.from(dataOf(logo), 'base64');
}

function dataOf(logo: string): string {
  return logo.slice(logo.indexOf(',') + 1);
}
