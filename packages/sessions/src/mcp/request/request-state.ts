import { SessionError } from '../../errors.js';
import type { OneTimeQuota, OneTimeStore } from '../../limits/one-time-store.js';
import type { Clock } from '../../time/clock.js';
import { secretBuffer, secretBytes, wipe } from '../../vault/memory.js';
import { type RandomSource, randomToken } from '../../vault/random.js';
import type { SealContext, SealedRecord, Vault } from '../../vault/vault.js';

const LIFETIME_MS = 10 * 60 * 1000;
const SALT_BYTES = 32;
const NONCE_CHARACTERS = 43;
/** Marks the states of the library. States of the author's tools have no prefix. */
const PREFIX = 'login.';

/** What a state is bound to: it opens only for the same session, tool and arguments. */
export interface RequestStateBinding {
  readonly session: string;
  readonly tool: string;
  readonly arguments: string;
}

export interface RequestStatesOptions {
  /** One for the purpose `request-state`. */
  readonly vault: Vault;
  readonly random: RandomSource;
  readonly clock: Clock;
  /** The nonces of states. */
  readonly oneTime: OneTimeStore;
}

/**
 * State that the client keeps between the rounds of one call. It is encrypted and authenticated, bound to the session,
 * the tool and the arguments, and valid for ten minutes and one use. A state that a client sends is untrusted input.
 */
export class RequestStates {
  readonly #options: RequestStatesOptions;

  constructor(options: RequestStatesOptions) {
    this.#options = options;
  }

  /** @throws SessionError `store_unavailable` */
  async seal(payload: string, binding: RequestStateBinding, quota: OneTimeQuota): Promise<string> {
    const { vault, random, clock, oneTime } = this.#options;
    const nonce = randomToken(random);
    await oneTime.issue(nonce, quota, clock.now() + LIFETIME_MS);
    const text = `${nonce}${payload}`;
    const { salt, bytes } = vault.seal(secretBytes(text), contextOf(binding));
    const sealed = secretBuffer(salt.length + bytes.length);
    sealed.set(salt);
    sealed.set(bytes, salt.length);
    return PREFIX + sealed.toString('base64url');
  }

  /** Whether a state has the form of a library state. `open` verifies it. */
  isOurs(state: unknown): state is string {
    return typeof state === 'string' && state.startsWith(PREFIX);
  }

  /**
   * @throws SessionError `login_failed` if the state was changed, has expired or was used, or belongs to another call;
   *   `store_unavailable`
   */
  async open(state: string, binding: RequestStateBinding): Promise<string> {
    const sealed = secretBytes(this.isOurs(state) ? state.slice(PREFIX.length) : '', 'base64url');
    const record = { salt: sealed.subarray(0, SALT_BYTES), bytes: sealed.subarray(SALT_BYTES) };
    const text = this.#read(record, binding);
    if (!(await this.#options.oneTime.redeem(text.slice(0, NONCE_CHARACTERS)))) throw invalidState();
    return text.slice(NONCE_CHARACTERS);
  }

  #read(record: SealedRecord, binding: RequestStateBinding): string {
    let plaintext: Buffer;
    try {
      plaintext = this.#options.vault.open(record, contextOf(binding));
    } catch (cause) {
      throw invalidState(cause);
    }
    const text = plaintext.toString('utf8');
    wipe(plaintext);
    return text;
  }
}

function contextOf(binding: RequestStateBinding): SealContext {
  return { sessionRef: binding.session, owner: binding.tool, provider: binding.arguments, generation: 0 };
}

function invalidState(cause?: unknown): SessionError {
  return new SessionError(
    'login_failed',
    'The requestState is invalid, expired or used up. Call the tool again without it.',
    {
      cause,
    },
  );
}
