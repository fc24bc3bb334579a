import { createHash } from 'node:crypto';
import { randomToken, systemRandom } from '../vault/random.js';

/** One login of a user, with its current tokens. */
export interface Grant {
  readonly user: string;
  /** The parameters of the authorization request. */
  readonly request: URLSearchParams;
  /** The requested scopes. */
  readonly scopes: readonly string[];
  readonly usedRefreshTokens: Set<string>;
  isActive: boolean;
  accessToken: string;
  refreshToken: string;
  accessTokenEndsAtMs: number;
  refreshTokenEndsAtMs: number;
}

/** When tokens expire, and how long they are. */
export interface TokenTerms {
  readonly nowMs: number;
  readonly accessTokenSeconds: number | undefined;
  readonly refreshTokenSeconds: number | undefined;
  /** The least length. */
  readonly tokenCharacters: number;
}

interface DeviceCode {
  readonly userCode: string;
  readonly request: URLSearchParams;
  /** What the user decided; `undefined` before the decision. */
  decision: { readonly user: string } | 'denied' | 'expired' | undefined;
}

/** The codes and tokens that a provider issued. A refresh token that is used twice ends its grant. */
export class ProviderGrants {
  readonly #grants: Grant[] = [];
  readonly #codes = new Map<string, { readonly user: string; readonly request: URLSearchParams }>();
  readonly #pushed = new Map<string, URLSearchParams>();
  readonly #deviceCodes = new Map<string, DeviceCode>();
  /** How many refresh tokens were used twice. */
  reuses = 0;

  /** Stores a pushed authorization request (RFC 9126). @returns its `request_uri` */
  push(request: URLSearchParams): string {
    const uri = `urn:ietf:params:oauth:request_uri:${randomToken(systemRandom)}`;
    this.#pushed.set(uri, request);
    return uri;
  }

  /** A pushed request, once. */
  pushed(requestUri: string): URLSearchParams | undefined {
    const request = this.#pushed.get(requestUri);
    this.#pushed.delete(requestUri);
    return request;
  }

  /** Issues an authorization code. */
  authorize(user: string, request: URLSearchParams): string {
    const code = randomToken(systemRandom);
    this.#codes.set(code, { user, request });
    return code;
  }

  /** Ends all grants of a user. */
  endAll(user: string | undefined): void {
    for (const grant of this.#grants) {
      if (grant.user === user) grant.isActive = false;
    }
  }

  /** Issues a device code. */
  authorizeDevice(userCode: string, request: URLSearchParams): string {
    const deviceCode = randomToken(systemRandom);
    this.#deviceCodes.set(deviceCode, { userCode, request, decision: undefined });
    return deviceCode;
  }

  /** @throws Error if no device code has this user code */
  decide(userCode: string, decision: DeviceCode['decision']): void {
    const device = [...this.#deviceCodes.values()].find((each) => each.userCode === userCode);
    if (!device) throw new Error(`No device code has the user code ${userCode}.`);
    device.decision = decision;
  }

  /**
   * Answers a token request: the grant with new tokens, or the error code (RFC 6749 section 5.2, RFC 8628 section 3.5).
   */
  issue(form: URLSearchParams, terms: TokenTerms): Grant | string {
    const grant = this.#requested(form, terms.nowMs);
    if (typeof grant === 'string') return grant;
    if (grant.refreshToken) grant.usedRefreshTokens.add(grant.refreshToken);
    const newToken = (kind: string) =>
      `${kind}.${grant.user}.${randomToken(systemRandom)}`.padEnd(terms.tokenCharacters, 'x');
    grant.accessToken = newToken('access');
    grant.refreshToken = newToken('refresh');
    grant.accessTokenEndsAtMs = endsAtMs(terms.nowMs, terms.accessTokenSeconds);
    grant.refreshTokenEndsAtMs = endsAtMs(terms.nowMs, terms.refreshTokenSeconds);
    return grant;
  }

  /** The active grant of a token. */
  grantOf(token: string): Grant | undefined {
    return this.#grants.find(
      (grant) => grant.isActive && (grant.accessToken === token || grant.refreshToken === token),
    );
  }

  /** Whether a refresh with this token would succeed. */
  canRefresh(refreshToken: string, nowMs: number): boolean {
    const grant = this.grantOf(refreshToken);
    return grant?.refreshToken === refreshToken && nowMs < grant.refreshTokenEndsAtMs;
  }

  /** Ends the grant of a token. */
  revoke(token: string): void {
    const grant = this.grantOf(token);
    if (grant) grant.isActive = false;
  }

  /** @throws Error if the user has no active grant */
  end(user: string): void {
    const ended = this.#grants.filter((grant) => grant.isActive && grant.user === user);
    if (ended.length === 0) throw new Error(`The user "${user}" has no active grant.`);
    for (const grant of ended) grant.isActive = false;
  }

  /** The active grant of an access token that has not expired. */
  authorizedBy(accessToken: string, nowMs: number): Grant | undefined {
    const grant = this.grantOf(accessToken);
    return grant?.accessToken === accessToken && nowMs < grant.accessTokenEndsAtMs ? grant : undefined;
  }

  get activeUsers(): string[] {
    return this.#grants.filter(({ isActive }) => isActive).map(({ user }) => user);
  }

  #requested(form: URLSearchParams, nowMs: number): Grant | string {
    const refreshToken = form.get('refresh_token');
    if (refreshToken !== null) return this.#refresh(refreshToken, nowMs);
    const deviceCode = form.get('device_code');
    return deviceCode === null ? this.#redeem(form) : this.#redeemDevice(deviceCode);
  }

  #redeem(form: URLSearchParams): Grant | string {
    const code = form.get('code') ?? '';
    const issued = this.#codes.get(code);
    this.#codes.delete(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const expected = issued?.request.get('code_challenge');
    // Without a challenge, a verifier is an error, too (RFC 9700 section 2.1.1).
    const isProven = expected ? expected === challenge : !form.has('code_verifier');
    return issued && isProven ? this.#create(issued.user, issued.request) : 'invalid_grant';
  }

  #redeemDevice(deviceCode: string): Grant | string {
    const { decision = 'pending', request = new URLSearchParams() } = this.#deviceCodes.get(deviceCode) ?? {};
    if (typeof decision === 'string') return DEVICE_ERRORS[decision];
    this.#deviceCodes.delete(deviceCode);
    return this.#create(decision.user, request);
  }

  #create(user: string, request: URLSearchParams): Grant {
    const grant = {
      user,
      request,
      scopes: requestedScopes(request),
      usedRefreshTokens: new Set<string>(),
      isActive: true,
      accessToken: '',
      refreshToken: '',
      accessTokenEndsAtMs: 0,
      refreshTokenEndsAtMs: 0,
    };
    this.#grants.push(grant);
    return grant;
  }

  #refresh(presented: string, nowMs: number): Grant | string {
    const current = this.#grants.find((grant) => grant.isActive && grant.refreshToken === presented);
    if (current && nowMs >= current.refreshTokenEndsAtMs) {
      current.isActive = false;
      return 'invalid_grant';
    }
    if (current) return current;
    const reused = this.#grants.find((grant) => grant.isActive && grant.usedRefreshTokens.has(presented));
    if (reused) {
      this.reuses++;
      reused.isActive = false;
    }
    return 'invalid_grant';
  }
}

const DEVICE_ERRORS = {
  pending: 'authorization_pending',
  denied: 'access_denied',
  expired: 'expired_token',
} as const;

function endsAtMs(nowMs: number, seconds: number | undefined): number {
  return seconds === undefined ? Number.POSITIVE_INFINITY : nowMs + seconds * 1000;
}

/** The scopes of an authorization request. */
export function requestedScopes(request: URLSearchParams): readonly string[] {
  const scopes = request.get('scope') ?? request.get('user_scope') ?? '';
  return scopes.split(/[ ,]/).filter(Boolean);
}
