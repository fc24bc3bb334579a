import type { ProviderOptions } from 'mcp-sessions';
import { PRESETS, type PresetName } from 'mcp-sessions/providers';
import { z } from 'zod';
import { ConfigurationError } from './configuration-error.js';
import type { EffectiveSettings } from './settings/effective-settings.js';
import { type ProviderSettings, SEPARATORS } from './settings/provider-schema.js';
import { readSecret } from './settings/secret.js';

/** The first is the default. */
export type Providers = readonly [ProviderOptions, ...ProviderOptions[]];

/**
 * The providers of the operator, with their presets and secrets.
 * @returns `undefined` if none is set
 * @throws ConfigurationError if one is incomplete
 */
export function providersOf(
  effective: EffectiveSettings,
  environment: NodeJS.ProcessEnv,
): Providers | undefined {
  const [first, ...others] = (effective.settings.providers ?? []).map((settings, index) =>
    providerOf(settings, { effective, environment, at: ['providers', String(index)] }),
  );
  return first && [first, ...others];
}

interface Place {
  readonly effective: EffectiveSettings;
  readonly environment: NodeJS.ProcessEnv;
  /** The path of the provider. */
  readonly at: readonly [string, string];
}

function providerOf(settings: ProviderSettings, place: Place): ProviderOptions {
  const {
    preset,
    scopeSeparator,
    clientSecretFile: _,
    clientSecretVariable: __,
    clientKey: ___,
    clientKeyFile: ____,
    clientKeyVariable: _____,
    ...rest
  } = settings;
  assertIssuer(settings, place);
  const nameOf = (option: string) => place.effective.nameOf([...place.at, option]);
  if (rest.clientId === undefined) {
    throw new ConfigurationError(
      `${nameOf('clientId')} is missing. Set it to the client id of this server at the provider.`,
    );
  }
  const options = {
    ...rest,
    ...(scopeSeparator && { scopeSeparator: SEPARATORS[scopeSeparator] }),
    ...defined('clientSecret', clientSecretOf(settings, place)),
    ...defined('clientKey', clientKeyOf(settings, place)),
  };
  if (preset) assertComplete(preset, options, nameOf);
  // Without an issuer there is a preset, which has one.
  return { ...(preset && PRESETS[preset].options), ...options } as ProviderOptions;
}

function defined(key: string, value: unknown): object {
  return value === undefined ? {} : { [key]: value };
}

/** The embedded provider would let every user log in under any name. */
function assertIssuer(settings: ProviderSettings, { effective, at }: Place): void {
  if (settings.issuer !== undefined || settings.preset !== undefined) return;
  const { file, nameOf } = effective;
  if (file !== undefined) {
    throw new ConfigurationError(`${nameOf([...at])} has neither an issuer nor a preset. Add one of them.`);
  }
  const [option = 'clientId'] = Object.keys(settings);
  const first = nameOf([...at, option]);
  throw new ConfigurationError(
    `${first} is set but MCP_SESSIONS_ISSUER is not. Set it, or MCP_SESSIONS_PROVIDER for a provider with a preset, or unset ${first}.`,
  );
}

function clientSecretOf(
  { clientSecret: value, clientSecretFile: file, clientSecretVariable: variable }: ProviderSettings,
  { environment, effective, at }: Place,
): string | undefined {
  return readSecret({ value, file, variable }, environment, () => effective.nameOf([...at, 'clientSecret']));
}

const keySchema = z.looseObject({});

function clientKeyOf(
  { clientKey, clientKeyFile: file, clientKeyVariable: variable }: ProviderSettings,
  { environment, effective, at }: Place,
): unknown {
  if (clientKey !== undefined) return clientKey;
  const name = effective.nameOf([...at, 'clientKey']);
  const text = readSecret({ file, variable }, environment, () => name);
  if (text === undefined) return undefined;
  const { data } = z
    .string()
    .transform((json, context) => {
      try {
        return JSON.parse(json) as unknown;
      } catch {
        context.addIssue('is not JSON');
        return z.NEVER;
      }
    })
    .pipe(keySchema)
    .safeParse(text);
  if (data) return data;
  throw new ConfigurationError(
    `${name}: ${file ?? variable} does not contain a JSON Web Key. Write one in JSON to it.`,
  );
}

function assertComplete(preset: PresetName, options: object, nameOf: (option: string) => string): void {
  const { needs, issuerForm } = PRESETS[preset];
  const missing = needs.find((option) => !(option in options));
  if (missing === undefined) return;
  const value = missing === 'issuer' ? `, such as ${issuerForm}` : '';
  throw new ConfigurationError(`${nameOf('preset')}=${preset} needs ${nameOf(missing)}${value}. Set it.`);
}
