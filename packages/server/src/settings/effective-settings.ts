import { ConfigurationError } from '../configuration-error.js';
import { readConfigurationFile } from './configuration-file.js';
import { CONFIG_VARIABLE, PREFIX, readEnvironment } from './environment.js';
import { type CommandFlags, readFlags } from './flags.js';
import { ANY_PROVIDER, SETTINGS, type Setting, type SettingPath, written } from './setting-list.js';
import type { Settings } from './settings-schema.js';
import { type Given, nameOf, placeOf } from './source.js';

/** What applies: the file, the variables over it, and the flags over those. */
export interface EffectiveSettings {
  readonly settings: Settings;
  /** The values with their origins, by their written paths. */
  readonly given: ReadonlyMap<string, Given>;
  readonly command: CommandFlags;
  /** The configuration file. */
  readonly file: string | undefined;
  /** How messages name a setting: by where it is set, or else by where to set it. */
  nameOf(path: SettingPath): string;
}

/**
 * Reads the file, the environment and the command line.
 * @throws ConfigurationError
 */
export function readSettings(argv: readonly string[], environment: NodeJS.ProcessEnv): EffectiveSettings {
  const { command, given: byFlags } = readFlags(argv);
  // `--help` has to work with a wrong configuration.
  const isAsked = command.help || command.version;
  const file = isAsked ? undefined : command.config || environment[CONFIG_VARIABLE]?.trim() || undefined;
  const byFile = file === undefined ? [] : readConfigurationFile(file).given;
  const byVariables = isAsked ? [] : readEnvironment(environment, secretVariables(byFile));
  assertOneProvider(byFile, byVariables);
  const given = new Map<string, Given>();
  for (const source of [byFile, byVariables, byFlags]) addSource(given, source);
  return {
    settings: settingsOf(given.values()),
    given,
    command,
    file,
    nameOf: (path) => nameIn(given, file, path),
  };
}

function secretVariables(given: readonly Given[]): string[] {
  return given.filter(({ path }) => /Variable$/.test(path.at(-1) ?? '')).map(({ value }) => String(value));
}

/** A variable cannot say which of several providers it means. */
function assertOneProvider(byFile: readonly Given[], byVariables: readonly Given[]): void {
  const second = byFile.find(({ path }) => path[0] === 'providers' && path[1] === '1');
  const variable = byVariables.find(({ path }) => path[0] === 'providers');
  if (!second || !variable) return;
  const key = String(variable.path.at(-1));
  throw new ConfigurationError(
    `${nameOf(variable.origin, variable.path)} does not say which of the providers in the configuration file it means. Unset it, and write ${key === 'clientSecret' || key === 'clientKey' ? `${key}File or ${key}Variable` : key} in the file.`,
  );
}

/** Adds a source over the ones before. A setting also replaces the others of its group. */
function addSource(given: Map<string, Given>, source: readonly Given[]): void {
  const groups = source.map(({ path }) => groupOf(path));
  for (const [index, each] of source.entries()) {
    const group = groups[index];
    if (group === undefined) continue;
    const other = source[groups.indexOf(group)];
    if (other && other !== each) {
      throw new ConfigurationError(
        `${nameOf(other.origin, other.path)} and ${nameOf(each.origin, each.path)} are two ways to set the same. Remove one of them.`,
      );
    }
    for (const [key, { path }] of given) if (groupOf(path) === group) given.delete(key);
  }
  for (const each of source) given.set(written(each.path), each);
}

/** The group of a setting, of this provider. */
function groupOf(path: SettingPath): string | undefined {
  const group = settingAt(path)?.info.group;
  return group === undefined ? undefined : written([...path.slice(0, -1), group]);
}

function settingsOf(given: Iterable<Given>): Settings {
  const settings: Record<string, unknown> = {};
  for (const { path, value } of given) {
    let parent = settings;
    for (const [index, key] of path.slice(0, -1).entries()) {
      const isList = path[index + 1] === '0' || Number(path[index + 1]) > 0;
      parent[key] ??= isList ? [] : {};
      parent = parent[key] as Record<string, unknown>;
    }
    parent[path.at(-1) ?? ''] = value;
  }
  // The schema has checked every value.
  return settings as Settings;
}

function nameIn(given: ReadonlyMap<string, Given>, file: string | undefined, path: SettingPath): string {
  const group = groupOf(path);
  const inGroup = group && [...given.values()].find((each) => groupOf(each.path) === group);
  if (inGroup) return nameOf(inGroup.origin, inGroup.path);
  for (let length = path.length; length > 0; length--) {
    const origin = given.get(written(path.slice(0, length)))?.origin;
    if (origin) return nameOf(origin, path);
  }
  const setting = settingAt(path) ?? settingAt(path.slice(0, -1));
  if (file !== undefined) {
    const near = neighbourOf(given, path) ?? neighbourOf(given, path.slice(0, -1));
    const name = `${written(path)}${setting?.info.isSecret ? 'File' : ''}`;
    return `${near === undefined ? file : placeOf(near.origin)}: ${name}`;
  }
  const { variable, flag } = setting?.info ?? {};
  const rest = path.slice(setting?.path.length);
  if (variable !== undefined) return [PREFIX + variable, ...rest].join(': ');
  return flag === undefined ? written(path) : `--${flag}`;
}

/** The first value of the file in a section. */
function neighbourOf(given: ReadonlyMap<string, Given>, section: SettingPath): Given | undefined {
  if (section.length === 0) return undefined;
  return [...given.values()].find(
    ({ path, origin }) => origin.kind === 'file' && section.every((key, index) => path[index] === key),
  );
}

const BY_PATH: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.map((setting) => [written(setting.path), setting]),
);

/** The setting or section at a path. */
export function settingAt(path: SettingPath): Setting | undefined {
  return BY_PATH.get(written(path.map((key) => (/^\d+$/.test(key) ? ANY_PROVIDER : key))));
}
