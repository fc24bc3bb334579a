import { SessionError } from '../../errors.js';
import { FairEviction } from '../../limits/fair-eviction.js';
import type { Clock } from '../../time/clock.js';
import { secretBuffer, secretBytes, wipe } from '../../vault/memory.js';
import { type RandomSource, randomToken } from '../../vault/random.js';
import type { SealContext, SealedRecord, Vault } from '../../vault/vault.js';

const LIFETIME_MS = 10 * 60 * 1000;
/** The maximum number of outstanding states on this node. */
const MAX_STATES = 10_000;
/** The maximum number of outstanding states of one session; more than the calls that it may have in flight. */
const MAX_STATES_PER_SESSION = 100;
const SALT_BYTES = 32;
/** Marks the states of the library. States of the author's tools have no prefix. */
const PREFIX = 'login.';

/** What a state is bound to: it opens only for the same session, tool and arguments. */
export interface RequestStateBinding {
  readonly session: string;
  readonly tool: string;
  readonly arguments: string;
}

/** The session and the client that a state counts for. */
export interface RequestStateQuota {
  readonly session: string;
  /** The user or address that the session counts for. */
  readonly client: string;
}

/**
 * State that the client keeps between the rounds of one call. It is encrypted and authenticated, bound to the session,
 * the tool and the arguments, and valid for ten minutes and one use. A state that a client sends is untrusted input.
 */
export class RequestStates {
  readonly #vault: Vault;
  readonly #random: RandomSource;
  readonly #clock: Clock;
  /** The expiry of each outstanding state by its nonce; the oldest first. */
  readonly #outstanding = new Map<string, number>();
  readonly #ofSession = new FairEviction<string>();
  readonly #ofClient = new FairEviction<string>();

  /** @param vault one for the purpose `request-state` */
  constructor(vault: Vault, random: RandomSource, clock: Clock) {
    this.#vault = vault;
    this.#random = random;
    this.#clock = clock;
  }

  /** The number of outstanding states. */
  get size(): number {
    return this.#outstanding.size;
  }

  seal(payload: string, binding: RequestStateBinding, quotaKey: RequestStateQuota): string {
    const nonce = randomToken(this.#random);
    this.#forgetExpired();
    this.#evictIfFull(quotaKey.session);
    this.#remember(nonce, quotaKey);
    const text = `${nonce}${payload}`;
    const { salt, bytes } = this.#vault.seal(secretBytes(text), contextOf(binding));
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
   * @throws SessionError `login_failed` if the state was changed, has expired or was used, or belongs to another call
   */
  open(state: string, binding: RequestStateBinding): string {
    const sealed = secretBytes(this.isOurs(state) ? state.slice(PREFIX.length) : '', 'base64url');
    const record = { salt: sealed.subarray(0, SALT_BYTES), bytes: sealed.subarray(SALT_BYTES) };
    const text = this.#read(record, binding);
    const nonce = text.slice(0, 43);
    const untilMs = this.#outstanding.get(nonce);
    this.#forget(nonce);
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

  #remember(nonce: string, { session, client }: RequestStateQuota): void {
    this.#outstanding.set(nonce, this.#clock.now() + LIFETIME_MS);
    this.#ofSession.add(nonce, session);
    this.#ofClient.add(nonce, client);
  }

  #forget(nonce: string): void {
    this.#outstanding.delete(nonce);
    this.#ofSession.delete(nonce);
    this.#ofClient.delete(nonce);
  }

  #forgetExpired(): void {
    const now = this.#clock.now();
    for (const [oldest, untilMs] of this.#outstanding) {
      if (untilMs > now) break;
      this.#forget(oldest);
    }
  }

  /** Evicts the oldest state of the session, or on a full node of the client with the most states. */
  #evictIfFull(session: string): void {
    const ofSession = this.#ofSession.of(session);
    if (ofSession.size >= MAX_STATES_PER_SESSION) this.#forgetOldest(ofSession);
    else if (this.#outstanding.size >= MAX_STATES) this.#forgetOldest(this.#ofClient.largest());
  }

  #forgetOldest(nonces: ReadonlySet<string>): void {
    const [oldest] = nonces;
    if (oldest !== undefined) this.#forget(oldest);
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
