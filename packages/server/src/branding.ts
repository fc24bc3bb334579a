import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import type { Branding } from 'mcp-sessions';
import { ConfigurationError } from './configuration-error.js';
import type { EffectiveSettings } from './settings/effective-settings.js';

/** The operator's branding of the login pages. */
export interface BrandingSettings {
  /** Absent: the server's own title. */
  readonly name?: string | undefined;
  /** The path of the logo, relative to the working directory. */
  readonly logo?: string | undefined;
}

const MAX_LOGO_BYTES = 64 * 1024;
const MEDIA_TYPES: ReadonlyMap<string, string> = new Map([
  ['.png', 'image/png'],
  ['.svg', 'image/svg+xml'],
  ['.webp', 'image/webp'],
]);

/**
 * Reads the logo from its file.
 *
 * @throws ConfigurationError if it cannot be read or is too large
 */
export async function loadBranding(
  { name, logo }: BrandingSettings,
  nameOf: EffectiveSettings['nameOf'],
): Promise<Branding> {
  const readFrom = (path: string) => readLogo(path, nameOf(['branding', 'logo']));
  return { name, logo: logo === undefined ? undefined : await readFrom(logo) };
}

async function readLogo(path: string, setting: string): Promise<string> {
  const picture = await readFile(resolve(path)).catch((cause: Error) => {
    throw new ConfigurationError(
      `${setting} cannot be read: ${cause.message}. Set it to the path of a file.`,
      {
        cause,
      },
    );
  });
  if (picture.length === 0 || picture.length > MAX_LOGO_BYTES) {
    throw new ConfigurationError(
      `${setting} is ${picture.length} bytes large. Set it to a picture of at most 64 KiB (${MAX_LOGO_BYTES} bytes).`,
    );
  }
  return `data:${mediaTypeOf(path)};base64,${picture.toString('base64')}`;
}

function mediaTypeOf(path: string): string | undefined {
  return MEDIA_TYPES.get(extname(path).toLowerCase());
}
