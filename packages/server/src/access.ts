import type { AccessOptions, BearerAccessOptions } from 'mcp-sessions';
import { ConfigurationError } from './configuration-error.js';
import type { EffectiveSettings } from './settings/effective-settings.js';
import { readSecret } from './settings/secret.js';
import type { RegistrationSettings } from './settings/settings-schema.js';

/**
 * Which clients are accepted.
 * @throws ConfigurationError
 */
export function accessOf(effective: EffectiveSettings, environment: NodeJS.ProcessEnv): AccessOptions {
  const { mode, issuer, ...bearer } = effective.settings.access ?? {};
  const [first] = Object.keys({ ...(issuer !== undefined && { issuer }), ...bearer });
  if (mode === 'open' || mode === 'open-to-network' || (mode === undefined && first === undefined)) {
    if (first === undefined) return mode ?? 'open';
    throw new ConfigurationError(needsBearer(effective, first));
  }
  if (issuer === undefined) {
    throw new ConfigurationError(
      `Bearer access needs ${effective.nameOf(['access', 'issuer'])}: the issuer of the access tokens of clients. Set it.`,
    );
  }
  const secretOf = (which: 'introspection' | 'signIn') => registrationSecret(which, effective, environment);
  const { introspection, signIn, ...rest } = bearer;
  const options: BearerAccessOptions = {
    issuer,
    ...rest,
    ...(introspection && {
      introspection: withSecret('introspection', secretOf('introspection'), effective),
    }),
    ...(signIn && {
      signIn: { clientId: clientIdOf('signIn', signIn, effective), clientSecret: secretOf('signIn') },
    }),
  };
  return options;
}

function needsBearer({ nameOf, given }: EffectiveSettings, first: string): string {
  const path = [...given.values()].find(({ path }) => path[0] === 'access' && path[1] === first)?.path;
  const name = nameOf(path ?? ['access', first]);
  return `${name} needs --access bearer. Add that flag, or ${name.startsWith('MCP_') ? 'unset the variable' : 'remove it'}.`;
}

type Which = 'introspection' | 'signIn';

function registrationSecret(
  which: Which,
  { settings, nameOf }: EffectiveSettings,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  const { clientSecret: value, clientSecretFile: file } = settings.access?.[which] ?? {};
  return readSecret({ value, file }, environment, () => nameOf(['access', which, 'clientSecretFile']));
}

const NEEDED = 'is missing. Set it, or remove the rest of that registration.';

function clientIdOf(which: Which, { clientId }: RegistrationSettings, { nameOf }: EffectiveSettings): string {
  if (clientId !== undefined) return clientId;
  throw new ConfigurationError(`${nameOf(['access', which, 'clientId'])} ${NEEDED}`);
}

function withSecret(which: Which, clientSecret: string | undefined, effective: EffectiveSettings) {
  const clientId = clientIdOf(which, effective.settings.access?.[which] ?? {}, effective);
  if (clientSecret !== undefined) return { clientId, clientSecret };
  throw new ConfigurationError(`${effective.nameOf(['access', which, 'clientSecret'])} ${NEEDED}`);
}
