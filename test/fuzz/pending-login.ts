import {
  codeIn,
  cookiesIn,
  formIn,
  handleIn,
  isForProvider,
  isLoggedIn,
  linkIn,
  requestStateIn,
} from './answer-reading.js';
import type { Placeholder, Step, Way } from './blueprint.js';
import type { Answer } from './client.js';

/** How the client of a login identifies itself: by its connection, its handle, or the request state of a call. */
type Caller =
  | { readonly kind: 'connection' | 'handle'; readonly id: string }
  | { readonly kind: 'round'; readonly state: string };

/** The progress of a login, as its client and browser know it. */
type Progress = 'begun' | 'linked' | 'asked' | 'sent' | 'coded' | 'shown' | 'returned' | 'at provider';

/** Rejections before the client abandons a login. */
const MAX_SETBACKS = 4;
const MAX_STEPS = 60;

/** A pending login, as its client and browser know it. */
export class PendingLogin {
  readonly way: Way;
  readonly #cookies = new Map<string, string>();
  #caller: Caller;
  #progress: Progress = 'begun';
  #link: string | undefined;
  #form: string | undefined;
  #state: string | undefined;
  #code: string | undefined;
  /** Calls that wait for this login. */
  #held = 0;
  #setbacks = 0;
  #steps = 0;
  /** The handle of the session, after the login. */
  session: string | undefined;
  #isOver = false;

  constructor(way: Way, caller: Caller, answer: Answer) {
    this.way = way;
    this.#caller = caller;
    this.observe(answer);
  }

  get isOver(): boolean {
    return this.#isOver || this.#setbacks >= MAX_SETBACKS || this.#steps >= MAX_STEPS;
  }

  get link(): string | undefined {
    return this.#link;
  }

  /** The connection of its client. */
  get connection(): string | undefined {
    return this.#caller.kind === 'connection' ? this.#caller.id : undefined;
  }

  /**
   * The next step of its client or browser.
   * @param isEager whether the client calls before the browser is done
   */
  next(isEager: boolean): Step {
    const mayWait = isEager && this.#caller.kind === 'round' && this.#held === 0;
    switch (this.#progress) {
      case 'begun':
        return this.#asks();
      case 'linked':
        return 'open';
      case 'asked':
        return mayWait ? 'come back' : 'consent';
      case 'sent':
        return mayWait ? 'come back' : 'return';
      case 'coded':
        return this.#caller.kind === 'round' ? this.#asks() : 'see code';
      case 'shown':
        return this.#caller.kind === 'connection' ? 'confirm 2025' : 'confirm 2026';
      case 'returned':
        return this.#asks();
      case 'at provider':
        return this.#waits();
    }
  }

  /** Notes that a request is sent. @param isHeld whether its response waits for the user */
  leave(isHeld: boolean): void {
    this.#steps++;
    if (isHeld) this.#held++;
  }

  /** Notes the end of a request. */
  arrive(isHeld: boolean, answer: Answer): void {
    if (isHeld) this.#held--;
    if (isHeld && answer.end === 'cut' && this.#caller.kind === 'round') this.#isOver = true;
    if (answer.status >= 400 || answer.text.includes('"isError":true')) this.#setbacks++;
    this.observe(answer);
  }

  /** The value of a placeholder. */
  known(name: Placeholder): string | undefined {
    switch (name) {
      case 'pending':
        return this.#caller.kind === 'handle' ? this.#caller.id : undefined;
      case 'own connection':
        return this.connection;
      case 'round':
        return this.#caller.kind === 'round' ? this.#caller.state : undefined;
      case 'tool':
      case 'provider':
      case 'flow':
        return this.way[name];
      case 'link':
        return this.#link;
      case 'form':
        return this.#form;
      case 'cookie':
        return [...this.#cookies].map((pair) => pair.join('=')).join('; ') || undefined;
      case 'state':
        return this.#state;
      case 'code':
        return this.#code;
      default:
        return undefined;
    }
  }

  /** Reads a response to any request. */
  observe(answer: Answer): void {
    this.#observePage(answer);
    this.#observeResult(answer.text);
  }

  #asks(): Step {
    if (this.#held > 0) return 'see end';
    if (this.#caller.kind === 'round') return 'come back';
    return this.#caller.kind === 'connection' ? 'ask 2025' : 'ask 2026';
  }

  #waits(): Step {
    const step = this.#asks();
    if (step === 'ask 2025') return 'wait 2025';
    return step === 'ask 2026' ? 'wait 2026' : step;
  }

  /** Reads a page: cookies, form, code and redirect. */
  #observePage({ headers, text, status }: Answer): void {
    for (const [name, value] of cookiesIn(headers)) this.#cookies.set(name, value);
    const form = formIn(text);
    if (form !== undefined && this.#progress === 'linked') this.#progress = 'asked';
    this.#form = form ?? this.#form;
    const code = codeIn(text);
    if (code !== undefined && this.#progress === 'coded') this.#progress = 'shown';
    this.#code = code ?? this.#code;
    const location = headers.location ?? '';
    const state = /[?&]state=([^&]+)/.exec(location)?.[1];
    this.#state = state ?? this.#state;
    if (state !== undefined) this.#progress = 'sent';
    else if (location.endsWith('/code')) this.#progress = 'coded';
    // The client gets the result.
    else if (location.startsWith('/login/') || this.#isTurnedAway(headers, status))
      this.#progress = 'returned';
  }

  #isTurnedAway(headers: Answer['headers'], status: number): boolean {
    const isPage = headers['content-type']?.startsWith('text/html') ?? false;
    return isPage && (status === 404 || (status === 400 && this.#progress === 'sent'));
  }

  /** Reads the result of a call. */
  #observeResult(text: string): void {
    const handle = handleIn(text);
    if (isLoggedIn(text)) {
      this.session = handle;
      this.#isOver = true;
      return;
    }
    const state = requestStateIn(text);
    if (state !== undefined) this.#caller = { kind: 'round', state };
    else if (handle !== undefined) this.#caller = { kind: 'handle', id: handle };
    const link = linkIn(text);
    const isAnew = link !== undefined && (link !== this.#link || this.#progress === 'returned');
    if (isAnew) this.#progress = 'linked';
    this.#link = link ?? this.#link;
    if (text.includes('"confirmation_required"') && this.#progress !== 'shown') this.#progress = 'coded';
    if (isForProvider(text)) this.#progress = 'at provider';
  }
}
