import { SessionError } from '../errors.js';
import { omitUndefined } from '../omit-undefined.js';
import type { ProviderOptions } from '../provider/provider-options.js';
import { OAUTH_PRESETS } from './oauth-presets.js';
import { OIDC_PRESETS } from './oidc-presets.js';
import type { Preset, PresetName } from './preset.js';

/** Every preset by its name. None was tried at the real provider: each follows its documentation and public reports. */
export const PRESETS: Readonly<Record<PresetName, Preset>> = { ...OAUTH_PRESETS, ...OIDC_PRESETS };

/**
 * This server's registration at a provider with a preset. Every other option replaces the one of the preset as a whole:
 * `scopes` replaces its scopes.
 */
export type PresetOptions<Name extends string = string> = { readonly clientId: string } & Partial<
  ProviderOptions<Name>
>;

/**
 * Makes the options of a provider from this server's registration there. Its `name` is that of the preset by default.
 */
export type PresetFunction<Default extends PresetName> = <const Name extends string = Default>(
  options: PresetOptions<Name>,
) => ProviderOptions<Name>;

/** @returns a function that throws SessionError `configuration` if an option that the preset needs is missing */
export function preset<Default extends PresetName>(presetName: Default): PresetFunction<Default> {
  return <const Name extends string = Default>(given: PresetOptions<Name>) => {
    const { options, needs, issuerForm } = PRESETS[presetName];
    const missing = needs.find((option) => given[option] === undefined);
    if (missing !== undefined) {
      const form = missing === 'issuer' ? `, such as ${issuerForm}` : '';
      throw new SessionError('configuration', `\`${presetName}\` needs the option \`${missing}\`${form}.`);
    }
    const { revocation, revocationRequest, ...rest } = options;
    return {
      ...rest,
      // `revoke` replaces every other way to revoke.
      ...(given.revoke === undefined && omitUndefined({ revocation, revocationRequest })),
      ...omitUndefined(given),
      // The preset has a name and, unless it is needed, an issuer.
    } as ProviderOptions<Name>;
  };
}
