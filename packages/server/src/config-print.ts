import { PRESETS } from 'mcp-sessions/providers';
import { Document } from 'yaml';
import type { EffectiveSettings } from './settings/effective-settings.js';
import { SEPARATORS } from './settings/provider-schema.js';
import { ANY_PROVIDER, LEAVES, type Setting, type SettingPath, written } from './settings/setting-list.js';
import type { Settings } from './settings/settings-schema.js';
import { placeOf } from './settings/source.js';

/** What stands for a secret. */
const REDACTED = '(redacted)';

/** A value, and where it comes from. */
type Printed = readonly [value: unknown, from: string];

/**
 * The settings that apply as YAML, with the origin of each as a comment. Secrets are redacted, and their files are not
 * read.
 */
export function printedSettings(effective: EffectiveSettings): string {
  const { settings, file } = effective;
  const document = new Document({});
  const sources = [...(file === undefined ? [] : [file]), 'variables', 'flags'].join(', then ');
  document.commentBefore = ` The settings that apply: defaults, then ${sources}. Secrets are redacted.`;
  if (!settings.providers) document.commentBefore += '\n There is no provider: the demo has an embedded one.';
  for (const leaf of LEAVES) {
    for (const path of pathsOf(leaf.path, settings)) {
      const printed = printedAt(path, leaf, effective);
      if (printed === undefined) continue;
      const [value, from] = printed;
      const node = document.createNode(value, { flow: true });
      node.comment = ` ${from}`;
      // `setIn` fills lists from their start only.
      if (path[0] === 'providers' && !document.has('providers')) {
        const empty = settings.providers?.map(() => ({}));
        document.set('providers', document.createNode(empty));
      }
      document.setIn(keysOf(path), node);
    }
  }
  // The library omits the last line break after a comment.
  return `${document.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd()}\n`;
}

function pathsOf(pattern: SettingPath, { providers = [] }: Settings): SettingPath[] {
  if (!pattern.includes(ANY_PROVIDER)) return [pattern];
  return providers.map((_, index) => pattern.map((key) => (key === ANY_PROVIDER ? String(index) : key)));
}

/** The keys of a document: those of lists are numbers. */
function keysOf(path: SettingPath): (string | number)[] {
  return path.map((key) => (/^\d+$/.test(key) ? Number(key) : key));
}

function printedAt(path: SettingPath, { info }: Setting, effective: EffectiveSettings): Printed | undefined {
  const given = effective.given.get(written(path));
  if (given) return [info.isSecret ? REDACTED : withoutCredentials(given.value), placeOf(given.origin)];
  if (path[0] === 'providers') return ofPreset(path, effective.settings);
  return info.default === undefined ? undefined : [info.default, 'default'];
}

function ofPreset([, index, option = '']: SettingPath, { providers = [] }: Settings): Printed | undefined {
  const preset = providers[Number(index)]?.preset;
  if (preset === undefined) return undefined;
  const value: unknown = Object.entries(PRESETS[preset].options).find(([name]) => name === option)?.[1];
  if (value === undefined) return undefined;
  const separator = Object.entries(SEPARATORS).find(([, character]) => character === value)?.[0];
  return [option === 'scopeSeparator' ? separator : value, `preset ${preset}`];
}

/** A value without what could be a credential: users and passwords of addresses, and values of headers. */
function withoutCredentials(value: unknown, key = ''): unknown {
  if (typeof value === 'string')
    return key === 'headers' ? REDACTED : value.replace(/\/\/[^/?#\s]*@/, `//${REDACTED}@`);
  if (Array.isArray(value)) return value.map((each) => withoutCredentials(each, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      withoutCredentials(each, key === 'headers' ? key : name),
    ]),
  );
}
