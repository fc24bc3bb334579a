import { randomBytes } from 'node:crypto';

/** The responses to the polls of a device code; the last one repeats (RFC 8628 section 3.5). */
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
/** Shorter intervals have no effect. */
const INTERVAL_SECONDS = 1;

/** Device codes of the provider. The seed determines the responses for the first, second, … code. */
export class DeviceCodes {
  readonly #codes = new Map<string, { readonly fate: Fate; polls: number }>();
  readonly #seed: number;
  #given = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Issues a device code (RFC 8628 section 3.2). */
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

  /** The response to a poll. A final response removes the code. */
  poll(deviceCode: string): Fate[number] {
    const code = this.#codes.get(deviceCode);
    const answer = code?.fate[code.polls++] ?? 'expired_token';
    if (answer !== 'authorization_pending' && answer !== 'slow_down') this.#codes.delete(deviceCode);
    return answer;
  }
}
