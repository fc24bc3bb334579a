import { randomBytes } from 'node:crypto';

/** What the provider says of a code, one time after the other; the last for good (RFC 8628 section 3.5). */
type Fate = readonly (
  | 'granted'
  | 'authorization_pending'
  | 'slow_down'
  | 'access_denied'
  | 'expired_token'
)[];

const FATES: readonly Fate[] = [
  ['granted'],
  ['authorization_pending', 'granted'],
  ['access_denied'],
  ['granted'],
  ['slow_down', 'granted'],
  ['authorization_pending', 'expired_token'],
  ['authorization_pending', 'authorization_pending', 'granted'],
];
const EXPIRES_IN_SECONDS = 600;
/** Less is not taken notice of. */
const INTERVAL_SECONDS = 1;

/** The codes that users type in at the provider. What becomes of the first, second, … is decided by the seed. */
export class DeviceCodes {
  readonly #codes = new Map<string, { readonly fate: Fate; polls: number }>();
  readonly #seed: number;
  #given = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Gives out a code (RFC 8628 section 3.2). */
  give(origin: string): object {
    const number = this.#given++;
    const device_code = randomBytes(24).toString('base64url');
    const fate = FATES[(Math.imul(this.#seed + number, 0x9e3779b1) >>> 16) % FATES.length] ?? ['granted'];
    this.#codes.set(device_code, { fate, polls: 0 });
    return {
      device_code,
      user_code: `CODE-${number}`,
      verification_uri: `${origin}/device`,
      expires_in: EXPIRES_IN_SECONDS,
      interval: INTERVAL_SECONDS,
    };
  }

  /** What has become of a code. What is decided is forgotten. */
  poll(deviceCode: string): Fate[number] {
    const code = this.#codes.get(deviceCode);
    const answer = code?.fate[code.polls++] ?? 'expired_token';
    if (answer !== 'authorization_pending' && answer !== 'slow_down') this.#codes.delete(deviceCode);
    return answer;
  }
}
