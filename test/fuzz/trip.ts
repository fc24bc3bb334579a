import type { Placeholder, Step, Way } from './blueprint.js';
import type { Answer } from './client.js';

/** How the client of a login reaches the server: over its connection, with its handle, or by the state of a round. */
type Caller =
  | { readonly kind: 'connection' | 'handle'; readonly id: string }
  | { readonly kind: 'round'; readonly state: string };

/** How far a login is, as its client and its browser know it. */
type Progress = 'begun' | 'linked' | 'asked' | 'sent' | 'coded' | 'shown' | 'returned' | 'at provider';

/** Refusals that somebody takes before they give a login up. */
const MOST_SETBACKS = 4;
const MOST_STEPS = 60;

/** A login that is under way, as its client and its browser know it. */
export class Trip {
  readonly way: Way;
  readonly #cookies = new Map<string, string>();
  #caller: Caller;
  #progress: Progress = 'begun';
  #link: string | undefined;
  #form: string | undefined;
  #state: string | undefined;
  #code: string | undefined;
  /** Calls that wait for this login now. */
  #held = 0;
  #setbacks = 0;
  #steps = 0;
  /** The handle of the session that it led to. */
  session: string | undefined;
  #isOver = false;

  constructor(way: Way, caller: Caller, answer: Answer) {
    this.way = way;
    this.#caller = caller;
    this.observe(answer);
  }

  get isOver(): boolean {
    return this.#isOver || this.#setbacks >= MOST_SETBACKS || this.#steps >= MOST_STEPS;
  }

  get link(): string | undefined {
    return this.#link;
  }

  /** The connection that is its client's own. */
  get connection(): string | undefined {
    return this.#caller.kind === 'connection' ? this.#caller.id : undefined;
  }

  /**
   * What its client or its browser do next.
   * @param isEager whether a client that waits for its browser does so before the browser is done
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

  /** One of its requests is sent. @param isHeld whether its answer waits for the user */
  leave(isHeld: boolean): void {
    this.#steps++;
    if (isHeld) this.#held++;
  }

  /** The answer to it has come, or will not. */
  arrive(isHeld: boolean, answer: Answer): void {
    if (isHeld) this.#held--;
    if (isHeld && answer.end === 'cut' && this.#caller.kind === 'round') this.#isOver = true;
    if (answer.status >= 400 || answer.text.includes('"isError":true')) this.#setbacks++;
    this.observe(answer);
  }

  /** What stands for a placeholder. */
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

  /** Takes in what an answer tells, to whichever request. */
  observe({ headers, text, status }: Answer): void {
    this.#observePage(headers, text, status);
    this.#observeResult(text);
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

  /** What a browser keeps of an answer, and where it is sent. */
  #observePage(headers: Answer['headers'], text: string, status: number): void {
    for (const cookie of headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=;]+)=([^;]*)/.exec(cookie) ?? [];
      if (name !== undefined && value !== undefined) this.#cookies.set(name, value);
    }
    const form = /name="form"[^>]*value="([^"]+)"/.exec(text)?.[1];
    if (form !== undefined) this.#form = form;
    if (form !== undefined && this.#progress === 'linked') this.#progress = 'asked';
    const code = /class="code">([^<]+)</.exec(text)?.[1];
    if (code !== undefined) this.#code = code;
    if (code !== undefined && this.#progress === 'coded') this.#progress = 'shown';
    const location = headers.location ?? '';
    const state = /[?&]state=([^&]+)/.exec(location)?.[1];
    if (state !== undefined) this.#state = state;
    if (state !== undefined) this.#progress = 'sent';
    else if (location.endsWith('/code')) this.#progress = 'coded';
    // Why it failed, or that it is over, the client hears.
    else if (location.startsWith('/login/') || (status === 404 && isPage(headers)))
      this.#progress = 'returned';
  }

  /** What a client reads in the result of a call. */
  #observeResult(text: string): void {
    const session = /"session":"([\w-]{43})"|session: ([\w-]{43})/.exec(text);
    const handle = session?.[1] ?? session?.[2];
    if (isLoggedIn(text)) {
      this.session = handle;
      this.#isOver = true;
      return;
    }
    const state = /"requestState":"([^"]+)"/.exec(text)?.[1];
    if (state !== undefined) this.#caller = { kind: 'round', state };
    else if (handle !== undefined) this.#caller = { kind: 'handle', id: handle };
    const link = linkIn(text);
    if (link !== undefined && (link !== this.#link || this.#progress === 'returned'))
      this.#progress = 'linked';
    this.#link = link ?? this.#link;
    if (text.includes('"confirmation_required"') && this.#progress !== 'shown') this.#progress = 'coded';
    if (/"userCode":"|type in the code/.test(text)) this.#progress = 'at provider';
  }
}

/** The path of the link that a client is to open, in the answer to its call. */
export function linkIn(text: string): string | undefined {
  return /"(?:loginUrl|url)":"http:[/][/][^/]+([/]connect[/][\w-]+)"/.exec(text)?.[1];
}

/** Whether an answer tells that a login is finished. */
export function isLoggedIn(text: string): boolean {
  return text.includes('"status":"authenticated"') || text.includes('The user has logged in. session: ');
}

function isPage(headers: Answer['headers']): boolean {
  return headers['content-type']?.startsWith('text/html') ?? false;
}
