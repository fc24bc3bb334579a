import { AttemptChanges } from '../../packages/sessions/src/login/attempt-changes.js';
import { attemptKeyOf, type PendingAttempt } from '../../packages/sessions/src/login/attempt-record.js';
import { AttemptSecrets } from '../../packages/sessions/src/login/attempt-secrets.js';
import type { AttemptStore } from '../../packages/sessions/src/login/attempt-store.js';
import type { FailedLogin } from '../../packages/sessions/src/login/login-attempt.js';
import { LoginCompletion } from '../../packages/sessions/src/login/login-completion.js';
import type { Messages } from '../../packages/sessions/src/login/messages.js';
import { type SessionRecord, snapshotOf } from '../../packages/sessions/src/session/session-record.js';
import { randomToken, systemRandom } from '../../packages/sessions/src/vault/random.js';
import { Vault } from '../../packages/sessions/src/vault/vault.js';
import type { SessionBench } from './session-bench.js';

const LIMITS = { maxPerSession: 3, maxAttempts: 1000 };
const LIFETIME_MS = 10 * 60 * 1000;

export interface LoginBenchOptions {
  /** Default: that of the bench. */
  readonly attempts?: AttemptStore;
  readonly messages?: Messages;
}

/** What ends the logins of the sessions of a bench. No browser and no tool is needed. */
export class LoginBench {
  readonly #bench: SessionBench;
  readonly attempts: AttemptStore;
  readonly messages: Messages;
  readonly changes: AttemptChanges;
  readonly completion: LoginCompletion;

  constructor(bench: SessionBench, options: LoginBenchOptions = {}) {
    const { clock, sessionEvents: events } = bench;
    this.#bench = bench;
    this.attempts = options.attempts ?? bench.ports.attempts;
    this.messages = options.messages ?? bench.ports.messages;
    this.changes = new AttemptChanges(this.attempts, systemRandom);
    const onError = (error: unknown) => void bench.errors.push(error);
    const completion = new LoginCompletion({
      attempts: this.attempts,
      changes: this.changes,
      secrets: new AttemptSecrets(new Vault(bench.keys, systemRandom)),
      messages: this.messages,
      accounts: bench.accounts,
      registry: bench.registry,
      disposal: bench.disposal,
      events,
      clock,
      random: systemRandom,
      onError,
    });
    this.completion = completion;
    events.subscribe((event) => completion.handleEvent(event));
    this.attempts.consumeDue((key) => void completion.expire(key).catch(onError));
  }

  /** Starts a login. It supersedes the pending one of its session. */
  async start(record: SessionRecord, fields: Partial<PendingAttempt> = {}): Promise<PendingAttempt> {
    const startedAtMs = this.#bench.clock.now();
    const id = randomToken(systemRandom);
    const attempt: PendingAttempt = {
      key: attemptKeyOf(id),
      version: this.changes.newVersion(),
      dueAtMs: startedAtMs + LIFETIME_MS,
      id,
      snapshot: snapshotOf(record),
      provider: 'idp',
      scopes: ['openid'],
      source: { clientName: undefined, origin: 'local', initiator: undefined, clientKey: undefined },
      quotaKey: '',
      check: 'none',
      isDevice: false,
      startedAtMs,
      expiresAtMs: startedAtMs + LIFETIME_MS,
      ...fields,
    };
    const latest = await this.attempts.latest(record.ref, attempt.provider);
    const replaces = latest?.outcome ? undefined : latest?.key;
    const insertion = await this.changes.insert(attempt, replaces, LIMITS);
    // As the server does: another login has begun or ended since the read.
    if (insertion.kind === 'changed') return this.start(record, fields);
    if (insertion.kind !== 'inserted') throw new Error(`The login was not added: ${insertion.kind}.`);
    if (insertion.superseded)
      this.completion.failed(insertion.superseded, { kind: 'failed', failure: 'superseded' });
    return attempt;
  }

  /** Why a login has failed; `undefined` while it is pending, and if it is complete. */
  async failureOf({ key }: PendingAttempt): Promise<FailedLogin | undefined> {
    return (await this.attempts.get(key))?.outcome;
  }
}
