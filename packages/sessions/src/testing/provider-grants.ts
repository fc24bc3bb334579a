import { createHash } from 'node:crypto';
import { randomToken, systemRandom } from '../vault/random.js';

/** The parameters of an authorization request that the token endpoint needs. */
export interface AuthorizationRequest {
  readonly clientId: string;
  readonly codeChallenge: string;
  readonly nonce: string | undefined;
}

/** One login of a user, with its current tokens. */
export interface Grant {
  readonly user: string;
  readonly clientId: string;
  readonly nonce?: string | undefined;
  isActive: boolean;
  accessToken: string;
  refreshToken: string;
}

interface DeviceCode {
  readonly userCode: string;
  readonly clientId: string;
  /** What the user decided; `undefined` before the decision. */
  decision: { readonly user: string } | 'denied' | 'expired' | undefined;
}

/** The codes and tokens that a provider issued. A refresh token that is used twice ends its grant. */
export class ProviderGrants {
  readonly #grants: Grant[] = [];
  readonly #codes = new Map<string, { readonly user: string; readonly request: AuthorizationRequest }>();
  readonly #deviceCodes = new Map<string, DeviceCode>();
  /** How many refresh tokens were used twice. */
  reuses = 0;

  /** Issues an authorization code. */
  authorize(user: string, request: AuthorizationRequest): string {
    const code = randomToken(systemRandom);
    this.#codes.set(code, { user, request });
    return code;
  }

  /** Issues a device code. */
  authorizeDevice(userCode: string, clientId: string): string {
    const deviceCode = randomToken(systemRandom);
    this.#deviceCodes.set(deviceCode, { userCode, clientId, decision: undefined });
    return deviceCode;
  }

  /** @throws Error if no device code has this user code */
  decide(userCode: string, decision: DeviceCode['decision']): void {
    const device = [...this.#deviceCodes.values()].find((each) => each.userCode === userCode);
    if (!device) throw new Error(`No device code has the user code ${userCode}.`);
    device.decision = decision;
  }

  /** Answers a token request: the grant with new tokens, or the error code (RFC 6749 section 5.2, RFC 8628 section 3.5). */
  issue(form: URLSearchParams): Grant | string {
    const grant = this.#requested(form);
    if (typeof grant === 'string') return grant;
    grant.accessToken = `access.${grant.user}.${randomToken(systemRandom)}`;
    grant.refreshToken = `refresh.${grant.user}.${randomToken(systemRandom)}`;
    return grant;
  }

  revoke(token: string): void {
    for (const grant of this.#grants) {
      if (grant.accessToken === token || grant.refreshToken === token) grant.isActive = false;
    }
  }

  /** @throws Error if the user has no active grant */
  end(user: string): void {
    const ended = this.#grants.filter((grant) => grant.isActive && grant.user === user);
    if (ended.length === 0) throw new Error(`The user "${user}" has no active grant.`);
    for (const grant of ended) grant.isActive = false;
  }

  userOf(accessToken: string): string | undefined {
    return this.#grants.find((grant) => grant.isActive && grant.accessToken === accessToken)?.user;
  }

  get activeUsers(): string[] {
    return this.#grants.filter(({ isActive }) => isActive).map(({ user }) => user);
  }

  #requested(form: URLSearchParams): Grant | string {
    const refreshToken = form.get('refresh_token');
    if (refreshToken !== null) return this.#refresh(refreshToken);
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
    if (!issued || issued.request.codeChallenge !== challenge) return 'invalid_grant';
    return this.#create({ user: issued.user, ...issued.request });
  }

  #redeemDevice(deviceCode: string): Grant | string {
    const { decision = 'pending', clientId = '' } = this.#deviceCodes.get(deviceCode) ?? {};
    if (typeof decision === 'string') return DEVICE_ERRORS[decision];
    this.#deviceCodes.delete(deviceCode);
    return this.#create({ user: decision.user, clientId });
  }

  #create({ user, clientId, nonce }: Pick<Grant, 'user' | 'clientId' | 'nonce'>): Grant {
    const grant = { user, clientId, nonce, isActive: true, accessToken: '', refreshToken: '' };
    this.#grants.push(grant);
    return grant;
  }

  #refresh(presented: string): Grant | string {
    const user = presented.split('.')[1];
    const current = this.#grants.find((grant) => grant.isActive && grant.refreshToken === presented);
    if (current) return current;
    const reused = this.#grants.find((grant) => grant.isActive && grant.user === user);
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
