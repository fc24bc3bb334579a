import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RegisterTools } from 'mcp-sessions';
import { z } from 'zod';
import { ConfigurationError } from './configuration-error.js';

const toolsModule = z.object({
  default: z.custom<RegisterTools>((value) => typeof value === 'function'),
});

/**
 * Imports the module that `--tools` names.
 *
 * @param path relative to the working directory
 * @throws ConfigurationError if it cannot be imported, or its default export is not a function
 */
export async function loadToolsModule(path: string): Promise<RegisterTools> {
  const { data } = toolsModule.safeParse(await importModule(path));
  if (data) return data.default;
  throw new ConfigurationError(
    `--tools ${path} has no function that registers tools. Add one: export default (server, context) => { … }`,
  );
}

async function importModule(path: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(resolve(path)).href);
  } catch (cause) {
    const [reason] = String(cause instanceof Error ? cause.message : cause).split('\n');
    throw new ConfigurationError(`--tools ${path} cannot be loaded: ${reason}`, { cause });
  }
}
