import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadToolsModule } from './tools-module.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tools-module-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function moduleOf(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe('a tools module', () => {
  it('exports its function by default', async () => {
    const path = await moduleOf('tools.mjs', 'export default function register() {}');
    expect((await loadToolsModule(path)).name).toBe('register');
  });

  it('is refused if it exports no function, with a line to copy', async () => {
    const path = await moduleOf('empty.mjs', 'export default [];');
    await expect(loadToolsModule(path)).rejects.toThrow(
      /has no function.*export default \(server, context\)/,
    );
  });

  it('is refused if it is missing or throws, with the reason', async () => {
    await expect(loadToolsModule(join(folder, 'missing.mjs'))).rejects.toThrow(
      /^--tools .*missing.mjs cannot be loaded: /,
    );
    const path = await moduleOf('broken.mjs', 'throw new Error("no database");');
    await expect(loadToolsModule(path)).rejects.toThrow(/cannot be loaded: no database$/);
  });
});
