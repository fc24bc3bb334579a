import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, isMap, isNode, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import { ConfigurationError } from '../configuration-error.js';
import { PREFIX } from './environment.js';
import { ANY_PROVIDER, LEAVES, type Setting, type SettingPath } from './setting-list.js';
import { settingsSchema } from './settings-schema.js';
import { checked, type Given, nameOf, type Origin } from './source.js';

/** The settings of one file. */
export interface ConfigurationFile {
  readonly path: string;
  readonly given: readonly Given[];
}

/**
 * Reads the settings from a file of YAML 1.2, of which JSON is a part.
 * @throws ConfigurationError that names the line
 */
export function readConfigurationFile(path: string): ConfigurationFile {
  const lines = new LineCounter();
  // The library's own messages quote the file, which may contain a secret that does not belong there.
  const document = parseDocument(readText(path), { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const [error] = [...document.errors, ...document.warnings];
  if (error) throw notYaml(path, lineAt(error.pos[0]), error.message.replace(/: .*|\\.*|\n.*/s, ''));
  assertAnchors(path, document, lineAt);
  const originAt = (of: SettingPath): Origin => {
    const offset = offsetOf(document, of);
    return { kind: 'file', file: path, line: offset === undefined ? undefined : lineAt(offset) };
  };
  // An empty document is null.
  const value: unknown = document.toJS() ?? {};
  const data = checked(settingsSchema, value, (at) => nameOf(originAt(at), at), 'Correct that line.');
  const given = LEAVES.flatMap((leaf) => givenIn(leaf, data, originAt));
  return { path, given: given.map((each) => withResolvedPath(each, path)) };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    const isMissing = code === 'ENOENT';
    const reason = isMissing ? 'does not exist' : `cannot be read (${code})`;
    const advice = isMissing
      ? 'Write one with mcp-sessions-server init, or correct'
      : 'Change its rights, or correct';
    throw new ConfigurationError(
      `The configuration file ${path} ${reason}. ${advice} --config or ${PREFIX}CONFIG.`,
      { cause },
    );
  }
}

function notYaml(path: string, line: number, reason: string): ConfigurationError {
  return new ConfigurationError(`${path}:${line}: This is not valid YAML: ${reason}. Correct that line.`);
}

function assertAnchors(path: string, document: Document, lineAt: (offset: number) => number): void {
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document)) return;
      throw notYaml(path, lineAt(alias.range?.[0] ?? 0), 'an alias has no anchor before it');
    },
  });
}

/** Where a key, or an element of a list, begins; of the nearest one that exists. */
function offsetOf(document: Document, path: SettingPath): number | undefined {
  let node: unknown = document.contents;
  let offset = isNode(node) ? node.range?.[0] : undefined;
  for (const key of path) {
    const pair = isMap(node) ? node.items.find((item) => String(item.key) === key) : undefined;
    const next: unknown = isSeq(node) ? node.items[Number(key)] : pair?.value;
    const start = pair ? pair.key : next;
    if (!isNode(start)) break;
    offset = start.range?.[0] ?? offset;
    node = next;
  }
  return offset;
}

function givenIn(leaf: Setting, data: unknown, originAt: (path: SettingPath) => Origin): Given[] {
  return pathsIn(leaf.path, data).flatMap((path) => {
    const value = path.reduce<unknown>(
      (parent, key) => (parent as Readonly<Record<string, unknown>> | undefined)?.[key],
      data,
    );
    if (value === undefined) return [];
    const origin = originAt(path);
    if (leaf.info.isSecret) throw secretInFile(leaf, nameOf(origin, path));
    if (typeof value === 'string' && PASSWORD.test(value)) throw passwordInFile(leaf, nameOf(origin, path));
    return [{ path, value, origin }];
  });
}

/** An address with a user or password. */
const PASSWORD = /\/\/[^/?#\s]*@/;

function passwordInFile({ info }: Setting, name: string): ConfigurationError {
  return new ConfigurationError(
    `${name} contains a user or password, which does not belong in this file. Remove it, or set ${PREFIX}${info.variable}.`,
  );
}

/** The paths of a setting, for each of the providers in the file. */
function pathsIn(path: SettingPath, data: unknown): SettingPath[] {
  if (!path.includes(ANY_PROVIDER)) return [path];
  const { providers = [] } = data as { readonly providers?: readonly unknown[] };
  return providers.map((_, index) => path.map((key) => (key === ANY_PROVIDER ? String(index) : key)));
}

function secretInFile({ path, info }: Setting, name: string): ConfigurationError {
  const key = path.at(-1);
  return new ConfigurationError(
    `${name} is a secret, which does not belong in this file. Write it to a file of its own and name that with ${key}File, or set ${PREFIX}${info.variable}.`,
  );
}

function withResolvedPath(given: Given, file: string): Given {
  const leaf = LEAVES.find(({ path }) => isAt(path, given.path));
  return leaf?.info.isPath ? { ...given, value: resolve(dirname(file), String(given.value)) } : given;
}

function isAt(pattern: SettingPath, path: SettingPath): boolean {
  return (
    pattern.length === path.length &&
    pattern.every((key, index) => key === path[index] || key === ANY_PROVIDER)
  );
}
