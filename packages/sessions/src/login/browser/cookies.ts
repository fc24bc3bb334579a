import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import type { HttpEnv } from '../../http/http-env.js';
import type { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { secretBytes } from '../../vault/memory.js';
import { digestOf, isSameDigest } from '../../vault/secret-digest.js';
import { FAILED_LOGIN_KEPT_MS } from '../failed-logins.js';
import type { FinishedLogin } from './flow.js';

export interface LoginCookiesOptions {
  readonly keys: KeyHierarchy;
  readonly publicUrl: () => URL;
  /** How long a started login can be finished. */
  readonly loginAttemptMs: number;
}

const CODE_SECONDS = 300;
/** It is read by the page that the browser is sent to. */
const FINISHED_SECONDS = 60;

/** What a login leaves in the browser that goes through it. Whatever is read back is what was written here. */
export class LoginCookies {
  readonly #options: LoginCookiesOptions;

  constructor(options: LoginCookiesOptions) {
    this.#options = options;
  }

  /** The secret that ties a browser to a login. @param attemptDigest of the login's id */
  binding(c: Context<HttpEnv>, attemptDigest: string): string | undefined {
    return this.#read(c, bindingNameOf(attemptDigest));
  }

  /** Keeps it for as long as the browser can be told how the login ended. */
  bind(c: Context<HttpEnv>, attemptId: string, secret: string): void {
    const seconds = Math.ceil((this.#options.loginAttemptMs + FAILED_LOGIN_KEPT_MS) / 1000);
    this.#write(c, bindingNameOf(digestOf(attemptId)), secret, seconds);
  }

  /** What shows that a form of a login comes from a page that this browser was shown. */
  formTokenOf(attemptId: string, binding: string): string {
    return this.#options.keys.mac('form', attemptId, binding).toString('base64url');
  }

  /** Whether a form that came in is such a one. */
  isOwnForm(c: Context<HttpEnv>, attemptId: string, token: string | null): boolean {
    const binding = this.binding(c, digestOf(attemptId));
    return binding !== undefined && isSameDigest(token ?? '', this.formTokenOf(attemptId, binding));
  }

  /** Keeps a code together with what shows that it came from here: codes must not be tried this way. */
  keepCode(c: Context<HttpEnv>, attemptId: string, code: string): void {
    this.#write(c, codeNameOf(attemptId), `${code}.${this.#codeMacOf(attemptId, code)}`, CODE_SECONDS);
  }

  code(c: Context<HttpEnv>, attemptId: string): string | undefined {
    const [code = '', mac = ''] = this.#read(c, codeNameOf(attemptId))?.split('.') ?? [];
    return isSameDigest(mac, this.#codeMacOf(attemptId, code)) ? code : undefined;
  }

  /** Keeps for the last page how a login ended. */
  keepFinished(c: Context<HttpEnv>, { account, clientName = '' }: FinishedLogin): void {
    const fields = [account, clientName].map((field) => secretBytes(field).toString('base64url'));
    this.#write(c, this.#finishedName, [...fields, this.#finishedMacOf(fields)].join('.'), FINISHED_SECONDS);
  }

  /** Takes it out: cookies go to every port of a machine, and a name is nobody else's business. */
  takeFinished(c: Context<HttpEnv>): Omit<FinishedLogin, 'kind'> | undefined {
    const kept = this.#read(c, this.#finishedName);
    if (kept === undefined) return undefined;
    this.#write(c, this.#finishedName, '', 0);
    const [account = '', clientName = '', mac = ''] = kept.split('.');
    if (!isSameDigest(mac, this.#finishedMacOf([account, clientName]))) return undefined;
    return { account: textIn(account), clientName: textIn(clientName) };
  }

  #codeMacOf(attemptId: string, code: string): string {
    return this.#options.keys.mac('form', 'code', attemptId, code).toString('base64url');
  }

  #finishedMacOf(fields: readonly string[]): string {
    return this.#options.keys.mac('form', 'done', ...fields).toString('base64url');
  }

  /** Servers at other paths or ports of this host receive the same cookies, so the name depends on the public URL. */
  get #finishedName(): string {
    return `mcp-login-done-${digestOf(this.#options.publicUrl().href).slice(0, 16)}`;
  }

  get #isSecure(): boolean {
    return this.#options.publicUrl().protocol === 'https:';
  }

  #read(c: Context<HttpEnv>, name: string): string | undefined {
    return this.#isSecure ? getCookie(c, name, 'host') : getCookie(c, name);
  }

  #write(c: Context<HttpEnv>, name: string, value: string, maxAge: number): void {
    setCookie(c, name, value, {
      httpOnly: true,
      sameSite: 'Lax',
      maxAge,
      // The prefix requires the path `/`, and prevents other hosts of the domain from setting these cookies.
      ...(this.#isSecure
        ? { secure: true, prefix: 'host', path: '/' }
        : { path: this.#options.publicUrl().pathname }),
    });
  }
}

/** Cookies are named per login, so that two logins in one browser do not meet. */
function bindingNameOf(attemptDigest: string): string {
  return `mcp-login-${attemptDigest.slice(0, 16)}`;
}

function codeNameOf(attemptId: string): string {
  return `mcp-login-code-${digestOf(attemptId).slice(0, 16)}`;
}

function textIn(field: string): string {
  return secretBytes(field, 'base64url').toString();
}
