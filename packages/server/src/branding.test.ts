import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrandingSettings, loadBranding } from './branding.js';
import { parseCommand } from './command.js';

const load = (settings: BrandingSettings) => loadBranding(settings, () => 'MCP_SESSIONS_LOGO');

function parseBranding(environment: NodeJS.ProcessEnv): BrandingSettings {
  const command = parseCommand([], environment);
  if (command.kind !== 'serve') throw new Error(`Parsed as ${command.kind}.`);
  return command.configuration.branding;
}

describe('the branding of the login pages', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'branding-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function fileOf(name: string, bytes: number): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, Buffer.alloc(bytes, 'x'));
    return path;
  }

  it('is read from the environment, where empty variables count as not set', () => {
    const environment = { MCP_SESSIONS_DISPLAY_NAME: ' Acme Notes ', MCP_SESSIONS_LOGO: './acme.svg' };
    expect(parseBranding(environment)).toEqual({ name: 'Acme Notes', logo: './acme.svg' });
    expect(parseBranding({ MCP_SESSIONS_DISPLAY_NAME: ' ', MCP_SESSIONS_LOGO: '' })).toEqual({});
    expect(parseBranding({})).toEqual({});
  });

  it.each([
    ['logo.png', 'image/png'],
    ['logo.SVG', 'image/svg+xml'],
    ['logo.webp', 'image/webp'],
  ])('embeds the file %s as %s', async (name, mediaType) => {
    const logo = await fileOf(name, 3);
    expect(await load({ name: 'Acme', logo })).toEqual({
      name: 'Acme',
      logo: `data:${mediaType};base64,eHh4`,
    });
  });

  it('has no logo by default', async () => {
    expect(await load({})).toEqual({});
  });

  it('accepts a logo of 64 KiB, and none that is larger or empty', async () => {
    await load({ logo: await fileOf('largest.png', 65_536) });
    await expect(load({ logo: await fileOf('larger.png', 65_537) })).rejects.toThrow(
      /^MCP_SESSIONS_LOGO is 65537 bytes large[.] Set it to a picture of at most 64 KiB/,
    );
    await expect(load({ logo: await fileOf('empty.png', 0) })).rejects.toThrow(/is 0 bytes/);
  });

  it('names the variable whose file cannot be read', async () => {
    await expect(load({ logo: join(folder, 'none.png') })).rejects.toThrow(
      /^MCP_SESSIONS_LOGO cannot be read: ENOENT.*Set it to the path of a file[.]$/,
    );
  });

  it.each([
    [
      'MCP_SESSIONS_LOGO',
      'logo.jpg',
      /^MCP_SESSIONS_LOGO must be the path of a [.]png, [.]svg or [.]webp file/,
    ],
    ['MCP_SESSIONS_LOGO', 'https://acme.example/logo', /^MCP_SESSIONS_LOGO must be the path/],
    ['MCP_SESSIONS_DISPLAY_NAME', 'x'.repeat(81), /^MCP_SESSIONS_DISPLAY_NAME must be at most 80 characters/],
  ])('refuses an invalid value in one line that says what to do: %s=%s', (name, value, message) => {
    expect(() => parseBranding({ [name]: value })).toThrow(message);
    expect(() => parseBranding({ [name]: value })).toThrow(/^[^\n]+$/);
  });
});
