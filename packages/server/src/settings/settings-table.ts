import { z } from 'zod';
import { PREFIX } from './environment.js';
import { COMMAND_FLAGS } from './flags.js';
import { SETTINGS, type Setting, written } from './setting-list.js';

/** The values of a setting that has a few. */
export function valuesOf({ schema }: Setting): string[] | undefined {
  const inner = schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  return inner instanceof z.ZodEnum ? inner.options.map(String) : undefined;
}

/** The settings as tables of Markdown, one for each section, for `docs/configuration.md`. */
export function settingsTables(): string {
  const sections = SETTINGS.filter(({ isSection }) => isSection);
  const top = SETTINGS.filter(({ path, isSection }) => path.length === 1 && !isSection);
  return [
    '### Flags of the command line only',
    table(
      ['flag', 'meaning'],
      Object.entries(COMMAND_FLAGS).map(([flag, text]) => [`\`--${flag}\``, text]),
    ),
    '### Settings of the server',
    settingsTable(top),
    ...sections.flatMap((section) => {
      const { description, variable } = section.info;
      const sentence = `${description}${variable ? `: \`${PREFIX}${variable}\`` : ''}${linkOf(section)}.`;
      return [`### ${titleOf(section)}`, sentence, settingsTable(contentsOf(section))];
    }),
  ].join('\n\n');
}

function titleOf({ path }: Setting): string {
  return `Settings of \`${written(path)}\``;
}

/** The settings directly in a section. */
function contentsOf({ path }: Setting): Setting[] {
  const own = (other: Setting) => other.path.filter((key) => key !== '*');
  return SETTINGS.filter(
    (other) =>
      !other.isSection &&
      own(other).length === path.length + 1 &&
      path.every((key, index) => own(other)[index] === key),
  );
}

function settingsTable(settings: readonly Setting[]): string {
  return table(
    ['key', 'variable', 'flag', 'meaning', 'default'],
    settings.map((setting) => {
      const { path, info } = setting;
      return [
        info.isSecret ? '–' : `\`${path.at(-1)}\``,
        info.variable ? `\`${PREFIX}${info.variable}\`` : '–',
        info.flag ? `\`--${info.flag}\`` : '–',
        `${info.description}${linkOf(setting)}`,
        defaultOf(setting),
      ];
    }),
  );
}

function defaultOf({ info }: Setting): string {
  if (typeof info.default === 'number') return info.default.toLocaleString('en');
  return info.default === undefined ? (info.defaultText ?? 'none') : `\`${info.default}\``;
}

function linkOf({ info }: Setting): string {
  return info.link === undefined ? '' : ` ([more](${info.link.replace('configuration.md', '')}))`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
