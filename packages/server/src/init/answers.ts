import { PRESETS, type Preset, type PresetName } from 'mcp-sessions/providers';
import { settingAt } from '../settings/effective-settings.js';
import type { SettingPath } from '../settings/setting-list.js';
import type { InitFlag } from './init-flags.js';

/** What `init` has to know. */
export interface Answers {
  /** The name of a preset, or an issuer. */
  readonly provider: string;
  /** The issuer, for a preset that needs one. */
  readonly issuer?: string;
  readonly 'client-id': string;
  /** Absent: a public client. */
  readonly 'client-secret-file'?: string;
  /** Absent: this machine only. */
  readonly 'public-url'?: string;
  readonly access: string;
  /** With bearer access. */
  readonly 'access-issuer'?: string;
  readonly tools: string;
}

/** A question, which the answers before it may make superfluous. */
export interface Question {
  readonly flag: Exclude<InitFlag, 'config'>;
  readonly text: string;
  /** The answer to an empty line. `''`: none. Absent: an answer is required. */
  readonly preferred?: string;
  /** What is wrong with an answer. */
  readonly fault: (answer: string) => string | undefined;
}

type Known = Partial<Answers>;

const PRESET_NAMES = Object.keys(PRESETS);

/** The next question that is not answered. */
export function nextQuestion(known: Known): Question | undefined {
  return QUESTIONS.flatMap((question) => question(known) ?? []).find(({ flag }) => known[flag] === undefined);
}

/** In this order. `undefined`: not needed. */
const QUESTIONS: readonly ((known: Known) => Question | undefined)[] = [
  () => ({
    flag: 'provider',
    text: `Where do users log in? A preset (${PRESET_NAMES.join(', ')}), or the issuer of your provider, such as https://login.example.com`,
    fault: (answer) =>
      PRESET_NAMES.includes(answer)
        ? undefined
        : faultAt(['providers', '0', 'issuer'])(answer) && NO_PROVIDER,
  }),
  ({ provider }) => {
    const preset = presetIn(provider);
    if (!preset?.needs.includes('issuer')) return undefined;
    return {
      flag: 'issuer',
      text: `Its issuer, such as ${preset.issuerForm}`,
      fault: faultAt(['providers', '0', 'issuer']),
    };
  },
  () => ({
    flag: 'client-id',
    text: 'The client id of this server there',
    fault: faultAt(['providers', '0', 'clientId']),
  }),
  ({ provider }) => ({
    flag: 'client-secret-file',
    text: presetIn(provider)?.needs.includes('clientSecret')
      ? 'The file that will contain the client secret'
      : 'The file that will contain the client secret, or none for a public client',
    preferred: './client-secret',
    fault: (answer) =>
      answer === NO_SECRET && presetIn(provider)?.needs.includes('clientSecret')
        ? `is needed: ${provider} accepts no public client`
        : undefined,
  }),
  () => ({
    flag: 'public-url',
    text: 'The public URL of this server, such as https://mcp.example.com; empty for this machine only',
    preferred: '',
    fault: (answer) => (answer === '' ? undefined : faultOfPublicUrl(answer)),
  }),
  (known) => ({
    flag: 'access',
    text: isLocal(known)
      ? 'Which clients may come in? open (those on this machine), bearer (with an access token) or open-to-network (all)'
      : 'Which clients may come in? bearer (with an access token) or open-to-network (all, and a code confirms each login)',
    preferred: isLocal(known) ? 'open' : 'bearer',
    fault: (answer) =>
      answer === 'open' && !isLocal(known)
        ? 'cannot be open: other machines can reach the public URL'
        : faultAt(['access', 'mode'])(answer),
  }),
  ({ access, provider, issuer }) => {
    if (access !== 'bearer') return undefined;
    const own = issuer ?? (presetIn(provider) ? undefined : provider);
    return {
      flag: 'access-issuer',
      text: "The issuer of the clients' access tokens",
      ...(own !== undefined && { preferred: own }),
      fault: faultAt(['access', 'issuer']),
    };
  },
  () => ({
    flag: 'tools',
    text: 'The module with your tools',
    preferred: './tools.mjs',
    fault: faultAt(['tools']),
  }),
];

/** The answer that stands for no secret. */
export const NO_SECRET = 'none';

const NO_PROVIDER = `must be the URL of an issuer, or one of ${PRESET_NAMES.join(', ')}`;

/** The preset of a provider. */
export function presetIn(provider: string | undefined): Preset | undefined {
  return provider !== undefined && PRESET_NAMES.includes(provider)
    ? PRESETS[provider as PresetName]
    : undefined;
}

function isLocal({ 'public-url': url = '' }: Known): boolean {
  return url === '' || isLoopback(new URL(url).hostname);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127[.]/.test(host);
}

/** The schema of a setting refuses an answer as it refuses the file. */
function faultAt(path: SettingPath): (answer: string) => string | undefined {
  return (answer) => settingAt(path)?.schema.safeParse(answer).error?.issues[0]?.message;
}

function faultOfPublicUrl(answer: string): string | undefined {
  const fault = faultAt(['publicUrl'])(answer);
  if (fault !== undefined) return fault;
  const { protocol, hostname } = new URL(answer);
  return protocol === 'https:' || isLoopback(hostname)
    ? undefined
    : 'must use https: it is not on this machine';
}
