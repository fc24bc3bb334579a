import { parseArgs } from 'node:util';
import { ConfigurationError } from '../configuration-error.js';
import { nearestName } from '../settings/nearest-name.js';

/** The answers that flags give. */
export const INIT_FLAGS = {
  config: 'the file to write (mcp-sessions.yaml)',
  provider: 'a preset, such as github, or the issuer of your provider, such as https://login.example.com',
  issuer: 'the issuer, for a preset that needs one, such as keycloak',
  'client-id': 'the client id of this server at the provider',
  'client-secret-file': 'the file that will contain the client secret; none: a public client',
  'public-url': 'the URL at which browsers and clients reach this server (this machine only)',
  access:
    'which clients are accepted: open (on this machine), bearer (with an access token) or open-to-network (all)',
  'access-issuer': 'with bearer: the issuer of the access tokens of clients (the issuer of the provider)',
  tools: 'the module with your tools (./tools.mjs)',
} as const;

export type InitFlag = keyof typeof INIT_FLAGS;

/** What the command line of `init` says. */
export interface InitArguments {
  readonly isHelp: boolean;
  readonly given: Readonly<Partial<Record<InitFlag, string>>>;
}

/** @throws ConfigurationError for an unknown flag */
export function parseInitArguments(argv: readonly string[]): InitArguments {
  const names = Object.keys(INIT_FLAGS);
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  try {
    const { values } = parseArgs({ args: [...argv], options: { ...options, help: { type: 'boolean' } } });
    const { help, ...given } = values as { help?: boolean } & Record<InitFlag, string>;
    return { isHelp: help === true, given };
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const [what = ''] = cause.message.split(/[.]? To specify|[.] This command|\n/);
    const unknown = /^Unknown option '--(.*)'$/.exec(what)?.[1];
    const nearest = unknown === undefined ? undefined : nearestName(unknown, names);
    const meant = nearest === undefined ? '' : ` Did you mean --${nearest}?`;
    throw new ConfigurationError(`${what}.${meant} Run init --help to see its options.`, { cause });
  }
}
