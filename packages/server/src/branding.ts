import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import type { Branding } from 'mcp-sessions';
import { z } from 'zod';
import { ConfigurationError } from './configuration-error.js';
import { checkVariables, givenVariables, PREFIX } from './variables.js';

/** The operator's branding of the login pages. */
export interface BrandingSettings {
  /** Absent: the server's own title. */
  readonly displayName?: string | undefined;
  /** The path of the logo, relative to the working directory. */
  readonly logoPath?: string | undefined;
}

const MAX_LOGO_BYTES = 64 * 1024;
const MEDIA_TYPES: ReadonlyMap<string, string> = new Map([
  ['.png', 'image/png'],
  ['.svg', 'image/svg+xml'],
  ['.webp', 'image/webp'],
]);

const schema = z.object({
  DISPLAY_NAME: z.string().max(80, 'must be at most 80 characters long').optional(),
  LOGO: z
    .string()
    .refine((path) => mediaTypeOf(path) !== undefined, 'must be the path of a .png, .svg or .webp file')
    .optional(),
});

/**
 * Reads the branding from the `MCP_SESSIONS_` variables. Empty variables count as not set.
 *
 * @throws ConfigurationError
 */
export function parseBranding(environment: NodeJS.ProcessEnv): BrandingSettings {
  const { DISPLAY_NAME, LOGO } = checkVariables(schema, givenVariables(environment, schema));
  return { displayName: DISPLAY_NAME, logoPath: LOGO };
}

/**
 * Reads the logo from its file.
 *
 * @throws ConfigurationError if it cannot be read or is too large
 */
export async function loadBranding({ displayName, logoPath }: BrandingSettings): Promise<Branding> {
  return { name: displayName, logo: logoPath === undefined ? undefined : await readLogo(logoPath) };
}

async function readLogo(path: string): Promise<string> {
  const picture = await readFile(resolve(path)).catch((cause: Error) => {
    throw new ConfigurationError(
      `${PREFIX}LOGO cannot be read: ${cause.message}. Set it to the path of a file.`,
      {
        cause,
      },
    );
  });
  if (picture.length === 0 || picture.length > MAX_LOGO_BYTES) {
    throw new ConfigurationError(
      `${PREFIX}LOGO is ${picture.length} bytes large. Set it to a picture of at most 64 KiB (${MAX_LOGO_BYTES} bytes).`,
    );
  }
  return `data:${mediaTypeOf(path)};base64,${picture.toString('base64')}`;
}

function mediaTypeOf(path: string): string | undefined {
  return MEDIA_TYPES.get(extname(path).toLowerCase());
}
