import type { EffectiveSettings } from './settings/effective-settings.js';
import { PREFIX } from './settings/environment.js';
import { ANY_PROVIDER, LEAVES, type SettingPath } from './settings/setting-list.js';

/** How the operator knows the options of the library: by variables, or by keys of the configuration file. */
export interface SettingNames {
  /** The names of the options in the `setting` of a report. What is no option stays, such as `NODE_EXTRA_CA_CERTS`. */
  of(provider: string, setting: string): string[];
  /** A text of the library about a provider, with these names in place of its options. */
  inText(provider: string, text: string): string;
}

/** The options of a provider that have a variable. */
const VARIABLES: ReadonlyMap<string, string> = new Map(
  LEAVES.flatMap(({ path: [first, number, option = ''], info }) =>
    first === 'providers' && number === ANY_PROVIDER && info.variable
      ? [[option, PREFIX + info.variable]]
      : [],
  ),
);

/** The variable of an option of the provider; what is no option stays, such as `NODE_EXTRA_CA_CERTS`. */
export function variableOf(option: string): string {
  return VARIABLES.get(option) ?? option;
}

/** An option in a text, which may have a value: `` `pkce: 'S256'` ``. */
const OPTION = /`([a-z]\w*)(?:: '(\w+)')?`/gi;

/** A text of the library with the variables in place of the options of the provider. */
function withVariables(text: string): string {
  return text.replaceAll(OPTION, (quoted, option: string, value?: string) => {
    const variable = VARIABLES.get(option);
    if (variable === undefined) return quoted;
    return value === undefined ? variable : `${variable}=${value}`;
  });
}

/** Whether a report is of the authorization server of the clients. */
function isAccess(provider: string): boolean {
  return provider === 'access' || provider === 'access.signIn';
}

/** @param providers the names of the providers, in their order */
export function settingNames(
  { file, nameOf }: Pick<EffectiveSettings, 'file' | 'nameOf'>,
  providers: readonly string[],
): SettingNames {
  const pathOf = (provider: string, option: string): SettingPath | undefined => {
    if (!isAccess(provider))
      return VARIABLES.has(option) ? ['providers', indexIn(providers, provider), option] : undefined;
    if (option === 'issuer') return ['access', option];
    return option === 'clientId' || option === 'clientSecret' ? ['access', 'signIn', option] : undefined;
  };
  return {
    of: (provider, setting) =>
      setting.split(', ').flatMap((option) => {
        const path = pathOf(provider, option);
        if (path) return [nameOf(path)];
        // The authorization server of the clients has no other options.
        return isAccess(provider) && /[a-z]/.test(option) ? [] : [option];
      }),
    // The keys of a file are those of the library.
    inText: (provider, text) => (isAccess(provider) || file !== undefined ? text : withVariables(text)),
  };
}

function indexIn(providers: readonly string[], name: string): string {
  return String(Math.max(0, providers.indexOf(name)));
}
