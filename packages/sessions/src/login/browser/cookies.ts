import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import type { HttpEnv } from '../../http/http-env.js';
import type { Clock } from '../../time/clock.js';
import type { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { digestOf, isSameDigest } from '../../vault/secret-digest.js';
import { FAILED_LOGIN_KEPT_MS } from '../attempt-store.js';
import type { CompletedLogin } from './flow.js';

export interface LoginCookiesOptions {
  readonly keys: KeyHierarchy;
  readonly publicUrl: () => URL;
  readonly clock: Clock;
  /** The lifetime of a login. */
  readonly loginAttemptMs: number;
}

/** More cookies of one browser are not compared with the pending logins. */
const MAX_BINDINGS = 20;
const BINDING_PREFIX = 'mcp-login-';
const CODE_SECONDS = 300;
/** The page that the browser is redirected to reads it. */
const COMPLETED_SECONDS = 60;

type ShownLogin = Omit<CompletedLogin, 'kind'>;
interface KeptLogin extends ShownLogin {
  readonly expiresAtMs: number;
}

/** The cookies of logins. Their names depend on the login, so that several logins in one browser do not interfere. */
export class LoginCookies {
  readonly #options: LoginCookiesOptions;

  constructor(options: LoginCookiesOptions) {
    this.#options = options;
  }

  /** The secret that binds a browser to a login. @param attemptDigest of the login's id */
  binding(c: Context<HttpEnv>, attemptDigest: string): string | undefined {
    return getCookie(c, bindingNameOf(attemptDigest), this.#prefix);
  }

  /** The secrets that bind a browser to its logins, at most {@link MAX_BINDINGS}. */
  bindings(c: Context<HttpEnv>): string[] {
    const prefix = `${this.#prefix === 'host' ? '__Host-' : ''}${BINDING_PREFIX}`;
    const values = Object.entries(getCookie(c)).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [value] : [],
    );
    return values.slice(0, MAX_BINDINGS);
  }

  /** Keeps the binding for as long as the reason of a failed login is kept. */
  bind(c: Context<HttpEnv>, attemptId: string, secret: string): void {
    const seconds = Math.ceil((this.#options.loginAttemptMs + FAILED_LOGIN_KEPT_MS) / 1000);
    setCookie(c, bindingNameOf(digestOf(attemptId)), secret, this.#attributes(seconds));
  }

  /** The CSRF token of the connect page, which is valid in the bound browser only. */
  formTokenOf(attemptId: string, binding: string): string {
    return this.#options.keys.mac('form', attemptId, binding).toString('base64url');
  }

  /** Whether a form has the CSRF token of this browser's connect page. */
  isOwnForm(c: Context<HttpEnv>, attemptId: string, token: string | null): boolean {
    const binding = this.binding(c, digestOf(attemptId));
    return binding !== undefined && isSameDigest(token ?? '', this.formTokenOf(attemptId, binding));
  }

  /** Keeps a confirmation code for its page, signed, so that the page cannot be used to try codes. */
  keepCode(c: Context<HttpEnv>, attemptId: string, code: string): void {
    const signed = this.#signed(code, 'code', attemptId);
    setCookie(c, codeNameOf(attemptId), signed, this.#attributes(CODE_SECONDS));
  }

  code(c: Context<HttpEnv>, attemptId: string): string | undefined {
    return this.#verified(getCookie(c, codeNameOf(attemptId), this.#prefix), 'code', attemptId);
  }

  /** Keeps the result of a login for the last page. The signature covers its expiry: `Max-Age` binds browsers only. */
  keepCompleted(c: Context<HttpEnv>, { account, clientName }: CompletedLogin): void {
    const expiresAtMs = this.#options.clock.now() + COMPLETED_SECONDS * 1000;
    const signed = this.#signed(JSON.stringify({ account, clientName, expiresAtMs }), 'done');
    setCookie(c, this.#completedName, signed, this.#attributes(COMPLETED_SECONDS));
  }

  /** Takes the result of a login. Cookies are sent to every port of a host, so the name must not stay in one. */
  takeCompleted(c: Context<HttpEnv>): ShownLogin | undefined {
    const signed = getCookie(c, this.#completedName, this.#prefix);
    if (signed === undefined) return undefined;
    setCookie(c, this.#completedName, '', this.#attributes(0));
    const value = this.#verified(signed, 'done');
    if (value === undefined) return undefined;
    // The signature shows that `keepCompleted` wrote it.
    const { expiresAtMs, ...login }: KeptLogin = JSON.parse(value);
    return this.#options.clock.now() < expiresAtMs ? login : undefined;
  }

  /**
   * A value with its authentication code, which covers the kind of the cookie and its login, too. Not as Hono signs
   * cookies: that goes through threads, and makes a string of the key.
   */
  #signed(value: string, ...kind: readonly string[]): string {
    return `${value}.${this.#codeOf(value, kind)}`;
  }

  /** The value of a signed cookie; `undefined` if there is none, or this server has not signed it. */
  #verified(signed: string | undefined, ...kind: readonly string[]): string | undefined {
    const at = signed?.lastIndexOf('.') ?? -1;
    if (signed === undefined || at < 0) return undefined;
    const value = signed.slice(0, at);
    return isSameDigest(signed.slice(at + 1), this.#codeOf(value, kind)) ? value : undefined;
  }

  #codeOf(value: string, kind: readonly string[]): string {
    return this.#options.keys.mac('form', 'cookie', ...kind, value).toString('base64url');
  }

  /** Servers at other paths or ports of this host receive the same cookies, so the name depends on the public URL. */
  get #completedName(): string {
    return `mcp-login-done-${digestOf(this.#options.publicUrl().href).slice(0, 16)}`;
  }

  /** The prefix requires the path `/`, and prevents other hosts of the domain from setting these cookies. */
  get #prefix(): 'host' | undefined {
    return this.#options.publicUrl().protocol === 'https:' ? 'host' : undefined;
  }

  #attributes(maxAge: number) {
    const { pathname } = this.#options.publicUrl();
    const prefix = this.#prefix;
    return { httpOnly: true, sameSite: 'Lax', maxAge, path: pathname, ...(prefix && { prefix }) } as const;
  }
}

function bindingNameOf(attemptDigest: string): string {
  return `${BINDING_PREFIX}${attemptDigest.slice(0, 16)}`;
}

function codeNameOf(attemptId: string): string {
  return `mcp-login-code-${digestOf(attemptId).slice(0, 16)}`;
}
