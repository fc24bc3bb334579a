import type { ProviderOptions } from '../provider/provider-options.js';

/** The providers with a preset. */
export type PresetName =
  | 'atlassian'
  | 'cognito'
  | 'entra'
  | 'github'
  | 'githubApp'
  | 'google'
  | 'hubspot'
  | 'keycloak'
  | 'linkedin'
  | 'notion'
  | 'quickbooks'
  | 'salesforce'
  | 'slackBot'
  | 'slackUser'
  | 'strava'
  | 'x'
  | 'zoho';

/** Those with discovery (OpenID Connect Discovery). */
export type OidcPresetName = Extract<
  PresetName,
  'cognito' | 'entra' | 'google' | 'keycloak' | 'linkedin' | 'salesforce'
>;

/** The settings of one provider, as data. */
export interface Preset {
  /** What differs from the defaults of {@link ProviderOptions}. */
  readonly options: Partial<ProviderOptions> & { readonly name: string };
  /** What the options of the caller have to contain besides the client id. */
  readonly needs: readonly ('issuer' | 'clientSecret')[];
  /** The issuer to write, with placeholders, if it is needed. */
  readonly issuerForm?: string;
  /** When the settings were last compared with the provider's documentation, as a date of ISO 8601. */
  readonly compared: string;
  /** The documentation and the public reports that the settings follow. */
  readonly links: readonly string[];
}
