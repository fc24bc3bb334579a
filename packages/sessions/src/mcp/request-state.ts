import { SessionError } from '../errors.js';
import type { Clock } from '../time/clock.js';
import { secretBuffer, wipe } from '../vault/memory.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import type { SealContext, SealedRecord, Vault } from '../vault/vault.js';

const LIFETIME_MS = 10 * 60 * 1000;
const MOST = 10_000;
const SALT_BYTES = 32;
/** Tells our states from those of an author's tools. */
const PREFIX = 'login.';

/** What a state is bound to: it opens only for the same session, tool and arguments. */
export interface RequestStateBinding {
  readonly session: string;
  readonly tool: string;
  readonly arguments: string;
}

/**
 * State that travels through the client between the rounds of one call. To the client it is an opaque
 * string; to us, coming back, it is attacker input: sealed, bound, good for ten minutes and for one use.
 */
export class RequestStates {
  readonly #vault: Vault;
  readonly #random: RandomSource;
  readonly #clock: Clock;
  readonly #outstanding = new Map<string, number>();

  /** @param vault one for the purpose `request-state` */
  constructor(vault: Vault, random: RandomSource, clock: Clock) {
    this.#vault = vault;
    this.#random = random;
    this.#clock = clock;
  }

  seal(payload: string, binding: RequestStateBinding): string {
    const nonce = randomToken(this.#random);
    this.#remember(nonce);
    const text = `${nonce}${payload}`;
    const plaintext = secretBuffer(Buffer.byteLength(text));
    plaintext.write(text);
    const { salt, bytes } = this.#vault.seal(plaintext, contextOf(binding));
    return PREFIX + Buffer.concat([salt, bytes]).toString('base64url');
  }

  /** Whether a state looks like one of ours; what it is worth, `open` tells. */
  isOurs(state: unknown): state is string {
    return typeof state === 'string' && state.startsWith(PREFIX);
  }

  /** @throws SessionError `login_failed` when it was changed, is used again, or belongs to another call. */
  open(state: string, binding: RequestStateBinding): string {
    const sealed = Buffer.from(this.isOurs(state) ? state.slice(PREFIX.length) : '', 'base64url');
    const record = { salt: sealed.subarray(0, SALT_BYTES), bytes: sealed.subarray(SALT_BYTES) };
    const text = this.#read(record, binding);
    const nonce = text.slice(0, 43);
    const untilMs = this.#outstanding.get(nonce);
    this.#outstanding.delete(nonce);
    if (untilMs === undefined || untilMs <= this.#clock.now()) throw invalidState();
    return text.slice(43);
  }

  #read(record: SealedRecord, binding: RequestStateBinding): string {
    let plaintext: Buffer;
    try {
      plaintext = this.#vault.open(record, contextOf(binding));
    } catch (cause) {
      throw invalidState(cause);
    }
    const text = plaintext.toString('utf8');
    wipe(plaintext);
    return text;
  }

  #remember(nonce: string): void {
    const now = this.#clock.now();
    this.#outstanding.set(nonce, now + LIFETIME_MS);
    for (const [oldest, untilMs] of this.#outstanding) {
      if (this.#outstanding.size <= MOST && untilMs > now) break;
      this.#outstanding.delete(oldest);
    }
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
