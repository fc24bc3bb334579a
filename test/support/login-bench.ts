import { AttemptChanges } from '../../packages/sessions/src/login/attempt-changes.js';
import { attemptKeyOf, type PendingAttempt } from '../../packages/sessions/src/login/attempt-record.js';
import { AttemptSecrets } from '../../packages/sessions/src/login/attempt-secrets.js';
import type { AttemptStore } from '../../packages/sessions/src/login/attempt-store.js';
import { DeviceFlow, type DeviceFlowOptions } from '../../packages/sessions/src/login/device/flow.js';
import type { FailedLogin } from '../../packages/sessions/src/login/login-attempt.js';
import { LoginCompletion } from '../../packages/sessions/src/login/login-completion.js';
import type { Messages } from '../../packages/sessions/src/session/messages.js';
import { type SessionRecord, snapshotOf } from '../../packages/sessions/src/session/session-record.js';
import type { Clock } from '../../packages/sessions/src/time/clock.js';
import { randomToken, systemRandom } from '../../packages/sessions/src/vault/random.js';
import { Vault } from '../../packages/sessions/src/vault/vault.js';
import type { SessionBench } from './session-bench.js';

const LIMITS = { maxPerSession: 3, maxAttempts: 1000 };
const LIFETIME_MS = 10 * 60 * 1000;

export interface LoginBenchOptions {
  /** Default: that of the bench. */
  readonly attempts?: AttemptStore;
  readonly messages?: Messages;
  /** Default: that of the bench. */
  readonly clock?: Clock;
  readonly wallNow?: () => number;
  /** The provider of logins by the device flow. Default: there are none. */
  readonly deviceProvider?: ReturnType<DeviceFlowOptions['providerOf']>;
}

/** What ends the logins of the sessions of a bench. No browser and no tool is needed. */
export class LoginBench {
  readonly #bench: SessionBench;
  readonly attempts: AttemptStore;
  readonly messages: Messages;
  readonly changes: AttemptChanges;
  readonly completion: LoginCompletion;
  readonly deviceFlow: DeviceFlow;

  constructor(bench: SessionBench, options: LoginBenchOptions = {}) {
    const { sessionEvents: events } = bench;
    const { clock = bench.clock, wallNow, deviceProvider } = options;
    this.#bench = bench;
    this.attempts = options.attempts ?? bench.ports.attempts;
    this.messages = options.messages ?? bench.ports.messages;
    this.changes = new AttemptChanges(this.attempts, systemRandom);
    const onError = (error: unknown) => void bench.errors.push(error);
    const state = {
      attempts: this.attempts,
      changes: this.changes,
      secrets: new AttemptSecrets(new Vault(bench.keys, systemRandom)),
      messages: this.messages,
      clock,
    };
    const { accounts, registry, disposal } = bench;
    const completion = new LoginCompletion({
      ...state,
      accounts,
      registry,
      disposal,
      events,
      random: systemRandom,
      onError,
    });
    this.completion = completion;
    this.deviceFlow = new DeviceFlow({
      ...state,
      completion,
      wallNow,
      initiatorVerifier: { isInitiator: () => true },
      providerOf: (name) => {
        if (deviceProvider) return deviceProvider;
        throw new Error(`No codes come from "${name}".`);
      },
    });
    events.subscribe((event) => completion.handleEvent(event));
    this.attempts.consumeDue((key) => void this.#runDue(key).catch(onError));
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

  async #runDue(key: PendingAttempt['key']): Promise<void> {
    const attempt = await this.completion.expire(key);
    if (attempt) await this.deviceFlow.runDue(attempt);
  }

  /** Why a login has failed; `undefined` while it is pending, and if it is complete. */
  async failureOf({ key }: PendingAttempt): Promise<FailedLogin | undefined> {
    return (await this.attempts.get(key))?.outcome;
  }
}
