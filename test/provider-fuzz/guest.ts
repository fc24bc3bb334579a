import type { Play, PlayedClient } from '../e2e/provider-play.js';
import type { ToolAnswer } from '../support/raw-mcp.js';
import type { DeliveredLogin, ProviderLedger } from './provider-ledger.js';
import { Violation } from './violation.js';

/** What every message contains: a call, a wait, or a person to turn to. */
const NEXT_STEP =
  /`(login|logout)`|again in \d+|wait a minute|ask (your client|the user|them)|\boperator\b|close this window|^Nothing\.|^The user is logged out here|Continue with the task|Pass this `session`/i;

interface SeenAccount {
  readonly state: string;
  readonly reason?: string;
}

interface GuestOptions {
  readonly user: string;
  readonly connect: () => Promise<PlayedClient>;
  readonly play: Play;
  readonly ledger: ProviderLedger;
}

interface StartedByCode {
  readonly userCode: string;
  readonly events: number;
}

/** What the user of a device does with its code. */
export type Decision = 'approve' | 'deny' | 'expire';

/** A client and its user, with the login that it should have. */
export class Guest {
  readonly user: string;
  readonly #connect: () => Promise<PlayedClient>;
  #client: PlayedClient;
  readonly #play: Play;
  readonly #ledger: ProviderLedger;
  /** Everything that the model and the user have read. */
  readonly #texts: string[] = [];
  /** The login that the session has; `undefined` without one. */
  held: DeliveredLogin | undefined;
  /** Whether a login has succeeded, so another one has to. */
  hasLoggedIn = false;

  private constructor({ user, connect, play, ledger }: GuestOptions, client: PlayedClient) {
    this.user = user;
    this.#connect = connect;
    this.#client = client;
    this.#play = play;
    this.#ledger = ledger;
  }

  static async connect(options: GuestOptions): Promise<Guest> {
    return new Guest(options, await options.connect());
  }

  /** @param hasToSucceed whether the provider is able to complete a login */
  async logIn(args: Record<string, unknown>, hasToSucceed: boolean): Promise<void> {
    const before = this.#play.events.length;
    let { page, answer } = await this.#client.logIn(this.user, args);
    if (answer.text.includes('without `session`')) {
      this.#client.forget();
      ({ page, answer } = await this.#client.logIn(this.user, args));
    }
    this.#read(answer);
    if (page !== undefined) this.#readText('page', page);
    const isIn = answer.structured?.status === 'authenticated';
    if (isIn && this.#holdNew(before)) this.hasLoggedIn = true;
    if (hasToSucceed && this.hasLoggedIn && !isIn)
      throw new Violation(`A login failed that had to succeed: ${page ?? answer.text}`);
    if (page === undefined || page.includes('has not started')) return;
    await this.#checkFailedLogin(answer, before);
  }

  /**
   * Starts a login by a code, also over a valid one.
   * @returns the code; `undefined` if there is no such login to wait for
   */
  async startByCode(decision: Decision): Promise<string | undefined> {
    const { provider } = this.#play;
    const answer = await this.#client.call('login', { flow: 'device', renew: true });
    this.#read(answer);
    const { userCode } = answer.structured;
    if (typeof userCode !== 'string') return undefined;
    if (decision === 'approve') provider.approve(userCode, this.user);
    else provider[decision](userCode);
    return userCode;
  }

  /**
   * Asks how a login by a code has ended.
   * @param before the code, and how many events there were
   * @returns whether it has
   */
  async hasEndedByCode(before: StartedByCode, hasToSucceed: boolean): Promise<boolean> {
    const answer = await this.#client.call('login');
    this.#read(answer);
    const { status, userCode } = answer.structured;
    if (status === 'pending' && userCode === before.userCode) return false;
    if (status === 'authenticated') {
      if (this.#holdNew(before.events)) this.#ledger.hasLoggedInByCode = true;
      return true;
    }
    if (hasToSucceed && this.#ledger.hasLoggedInByCode)
      throw new Violation(`A login by a code failed that had to succeed: ${answer.text}`);
    // After a code has expired, `login` starts another login.
    if (status === 'pending') return true;
    await this.#checkFailedLogin(answer, before.events);
    return true;
  }

  async #checkFailedLogin(answer: ToolAnswer, before: number): Promise<void> {
    if (!answer.isError) throw new Violation(`A failed login was not reported: ${answer.text}`);
    const failed = this.#play.events.slice(before).filter(({ type }) => type === 'login.failed');
    if (failed.length !== 1) throw new Violation(`A failed login has ${failed.length} events login.failed.`);
    if (JSON.stringify(await this.#client.status()).includes('"pending"'))
      throw new Violation('A failed login is still pending.');
  }

  async call(tool: 'who' | 'rejected'): Promise<void> {
    this.#read(await this.#client.call(tool, tool === 'who' ? { url: 'https://api.test/me' } : {}));
    const account = await this.#client.call('account');
    this.#texts.push(account.text);
    if (account.isError) return;
    const { scopes = [] } = (JSON.parse(account.text) ?? {}) as { readonly scopes?: readonly string[] };
    const wider = scopes.filter((scope) => !this.held?.hasScope(scope));
    if (wider.length > 0)
      throw new Violation(`Scopes count as granted that the login does not have: ${wider}`);
  }

  /** Ends the session as the client's end does, or leaves it, and connects again. */
  async end(): Promise<void> {
    if (this.#client.end) {
      await this.#client.end();
      this.#hold(undefined);
    } else this.held = undefined;
    this.#client = await this.#connect();
  }

  /** The login has ended outside of this client. */
  endedElsewhere(): void {
    this.#hold(undefined);
  }

  /** Whether the session keeps a login, also one whose access token has expired. */
  async keepsLogin(): Promise<boolean> {
    const { accounts = [] } = await this.#client.status();
    return (accounts as readonly SeenAccount[]).some(({ state }) => state !== 'reauthentication_required');
  }

  /**
   * Holds the login that was delivered last, if one has succeeded. Tokens whose user could not be identified were
   * delivered, too, and the login before them goes on.
   * @param before how many events there were
   * @returns whether one has succeeded
   */
  #holdNew(before: number): boolean {
    const isNew = this.#play.events.slice(before).some(({ type }) => type === 'account.authenticated');
    if (isNew) this.#hold(this.#ledger.latest);
    return isNew;
  }

  #hold(login: DeliveredLogin | undefined): void {
    if (this.held) this.held.isEnded = true;
    this.held = login;
  }

  async logOut(): Promise<void> {
    const { held } = this;
    const answer = await this.#client.call('logout');
    this.#hold(undefined);
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
