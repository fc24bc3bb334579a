import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { PRESETS } from 'mcp-sessions/providers';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { parseCommand } from '../command.js';
import { init } from './init.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'init-test-'));
  file = join(folder, 'mcp-sessions.yaml');
  return () => rmSync(folder, { recursive: true });
});

/** Runs init with answers that are typed when it asks, or without a terminal. */
async function run(argv: readonly string[], answers?: readonly string[]): Promise<string> {
  const input = new PassThrough();
  const output = new PassThrough();
  const left = [...(answers ?? [])];
  let said = '';
  output.on('data', (chunk: Buffer) => {
    said += chunk;
    if (!/: $/.test(said) || answers === undefined) return;
    const answer = left.shift();
    if (answer === undefined) input.end();
    else input.write(`${answer}\n`);
  });
  onTestFinished(() => void input.destroy());
  await init(['--config', file, ...argv], { input, output, isInteractive: answers !== undefined });
  expect(left).toEqual([]);
  return said;
}

/** What the server makes of the file. */
function upstreamOf() {
  writeFileSync(join(folder, 'client-secret'), 'secret');
  const command = parseCommand(['--config', file], {});
  if (command.kind !== 'serve' || command.configuration.upstream.kind !== 'operator')
    throw new Error('A demo.');
  return command.configuration.upstream;
}

describe('init on a terminal', () => {
  it('asks for the provider, the public URL and who may come in, and writes what the server accepts', async () => {
    const said = await run([], ['github', 'my-id', '', 'https://mcp.example.com', 'open-to-network', '']);
    expect(upstreamOf()).toMatchObject({
      providers: [{ name: 'github', clientId: 'my-id', clientSecret: 'secret' }],
      publicUrl: 'https://mcp.example.com',
      access: 'open-to-network',
      toolsModule: join(folder, 'tools.mjs'),
    });
    expect(said).toContain(
      '1. Register this redirect URI at the provider: https://mcp.example.com/callback\n',
    );
    expect(said).toContain('2. Write the client secret to ./client-secret, ');
    expect(said).toContain(`mcp-sessions-server check --config ${file}\n`);
  });

  it('asks again after an answer that the server would refuse, and says why', async () => {
    const said = await run(
      [],
      [
        'gitbub',
        'https://id.example.com',
        '',
        'a',
        'none',
        'http://mcp.example.com',
        'https://mcp.example.com',
        'open',
        '',
        '',
        '',
      ],
    );
    expect(said).toContain('The answer must be the URL of an issuer, or one of github, ');
    expect(said).toContain('The answer is needed.\n');
    expect(said).toContain('The answer must use https: it is not on this machine.\n');
    expect(said).toContain('The answer cannot be open: other machines can reach the public URL.\n');
    expect(upstreamOf()).toMatchObject({
      providers: [{ issuer: 'https://id.example.com', clientId: 'a' }],
      access: { issuer: 'https://id.example.com' },
    });
    expect(upstreamOf().providers[0]).not.toHaveProperty('clientSecret');
  });

  it('asks nothing that a flag says', async () => {
    const said = await run(['--provider', 'google', '--client-id', 'a', '--public-url', ''], ['', '', '']);
    expect(said).not.toContain('client id');
    expect(upstreamOf()).toMatchObject({ providers: [{ name: 'google', clientId: 'a' }], access: 'open' });
  });

  it('writes nothing if its input ends', async () => {
    await expect(run([], ['github'])).rejects.toThrow(/no file was written/);
    expect(existsSync(file)).toBe(false);
  });
});

describe('init without a terminal', () => {
  it.each(Object.entries(PRESETS))(
    'writes a file that the server accepts for %s',
    async (preset, { needs, issuerForm = '' }) => {
      const issuer = needs.includes('issuer') ? ['--issuer', issuerForm.replace(/[<>{}…]/g, 'x')] : [];
      await run(['--provider', preset, '--client-id', 'a', ...issuer]);
      expect(upstreamOf().providers[0]).toMatchObject({
        name: preset,
        clientId: 'a',
        clientSecret: 'secret',
      });
    },
  );

  it.each([
    [[], /^Without a terminal, init needs --provider\. /],
    [['--provider', 'github'], /^Without a terminal, init needs --client-id\. /],
    [['--provider', 'keycloak', '--client-id', 'a'], /^Without a terminal, init needs --issuer\. /],
    [['--provider', 'github', '--client-id', 'a', '--access', 'bearer'], /init needs --access-issuer\. /],
    [
      ['--provider', 'gitbub', '--client-id', 'a'],
      /^--provider must be the URL of an issuer, or one of github/,
    ],
    [
      ['--provider', 'github', '--client-id', 'a', '--issuer', 'https://a.example'],
      /^--issuer has no effect/,
    ],
    [['--provder', 'github'], /^Unknown option '--provder'\. Did you mean --provider\? Run init --help/],
  ])('needs answers as flags, and names what is missing or wrong: %j', async (argv, message) => {
    await expect(run(argv)).rejects.toThrow(message);
    expect(existsSync(file)).toBe(false);
  });

  it('does not overwrite a file', async () => {
    writeFileSync(file, 'logLevel: info\n');
    await expect(run(['--provider', 'github', '--client-id', 'a'])).rejects.toThrow(
      /exists and is not overwritten\. /,
    );
    expect(readFileSync(file, 'utf8')).toBe('logLevel: info\n');
  });
});
