import type { Play, PlayedClient } from '../e2e/provider-play.js';
import type { ToolAnswer } from '../support/raw-mcp.js';
import type { DeliveredLogin, ProviderLedger } from './provider-ledger.js';

/** An invariant of this library that was violated. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** What every message contains: a call, a wait, or a person to turn to. */
const NEXT_STEP =
  /`(login|logout)`|again in \d+|wait a minute|ask (your client|the user|them)|\boperator\b|close this window|^Nothing\.|Continue with the task|Pass this `session`/i;

interface SeenAccount {
  readonly state: string;
  readonly reason?: string;
}

/** A client and its user, with the login that it should have. */
export class Guest {
  readonly user: string;
  readonly #client: PlayedClient;
  readonly #play: Play;
  readonly #ledger: ProviderLedger;
  /** Everything that the model and the user have read. */
  readonly #texts: string[] = [];
  /** The login that the session has; `undefined` without one. */
  held: DeliveredLogin | undefined;
  /** Whether a login has succeeded, so another one has to. */
  hasLoggedIn = false;

  constructor(user: string, client: PlayedClient, play: Play, ledger: ProviderLedger) {
    this.user = user;
    this.#client = client;
    this.#play = play;
    this.#ledger = ledger;
  }

  /** @param hasToSucceed whether the provider is able to complete a login */
  async logIn(args: Record<string, unknown>, hasToSucceed: boolean): Promise<void> {
    const { logins } = this.#ledger;
    const before = this.#play.events.length;
    let { page, answer } = await this.#client.logIn(this.user, args);
    if (answer.text.includes('without `session`')) {
      this.#client.forget();
      ({ page, answer } = await this.#client.logIn(this.user, args));
    }
    this.#read(answer);
    if (page !== undefined) this.#readText('page', page);
    const isIn = answer.structured?.status === 'authenticated';
    if (isIn && this.#ledger.logins > logins) {
      this.held = this.#ledger.latest;
      this.hasLoggedIn = true;
    }
    if (hasToSucceed && this.hasLoggedIn && !isIn)
      throw new Violation(`A login failed that had to succeed: ${page ?? answer.text}`);
    if (page === undefined || page.includes('has not started')) return;
    if (!answer.isError) throw new Violation(`A failed login was not reported: ${answer.text}`);
    const failed = this.#play.events.slice(before).filter(({ type }) => type === 'login.failed');
    if (failed.length !== 1) throw new Violation(`A failed login has ${failed.length} events login.failed.`);
    if (JSON.stringify(await this.#client.status()).includes('"pending"'))
      throw new Violation('A failed login is still pending.');
  }

  async call(tool: 'who' | 'rejected'): Promise<void> {
    this.#read(await this.#client.call(tool, tool === 'who' ? { url: 'https://api.test/me' } : {}));
  }

  async logOut(): Promise<void> {
    const { held } = this;
    const answer = await this.#client.call('logout');
    this.held = undefined;
    this.#read(answer);
    const [report] = (answer.structured?.accounts ?? []) as readonly { readonly revocation: string }[];
    if (report?.revocation === 'confirmed' && held?.isAlive)
      throw new Violation('A revocation is said to be confirmed, and the grant is alive.');
  }

  /** Compares the status with the provider's own view. */
  async check(): Promise<void> {
    const answer = await this.#client.call('session_status');
    this.#read(answer);
    const status = answer.structured ?? {};
    const [account] = (status.accounts ?? []) as readonly SeenAccount[];
    const { held } = this;
    if (!held) return;
    const seen = `${account?.state ?? 'no account'}: ${status.next ?? answer.text}`;
    if (account?.reason === 'refresh_lost' && held.hasLostAnswer) return;
    const isKept = account !== undefined && account.state !== 'reauthentication_required';
    if (held.isAlive && !isKept) throw new Violation(`A login was lost that could have been kept. ${seen}`);
    if (held.isOver && account?.state === 'authenticated')
      throw new Violation(`A login was kept that is dead. ${seen}`);
  }

  /** What was read since the last call. */
  takeTexts(): string {
    return this.#texts.splice(0).join('\n');
  }

  #read(answer: ToolAnswer): void {
    this.#texts.push(answer.text, JSON.stringify(answer.structured ?? {}));
    const { next } = answer.structured ?? {};
    if (answer.isError) this.#readText('tool', answer.text);
    else if (typeof next === 'string') this.#readText('tool', next);
  }

  #readText(where: string, text: string): void {
    this.#texts.push(text);
    if (!NEXT_STEP.test(text)) throw new Violation(`A text has no next step (${where}): ${text}`);
  }
}
