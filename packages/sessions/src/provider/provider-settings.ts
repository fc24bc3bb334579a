import { omitUndefined } from '../omit-undefined.js';
import { parseOptions } from '../parse-options.js';
import { clientAuthenticationOf, optionRules } from './option-rules.js';
import type {
  ClientAssertionOptions,
  ClientAuthentication,
  RevocationScope,
  UserInfoRequest,
} from './option-types.js';
import type { ProviderOptions } from './provider-options.js';

/** Provider options with every default filled in. */
export interface ProviderSettings extends ProviderOptions {
  readonly name: string;
  readonly displayName: string;
  readonly clientAuthentication: ClientAuthentication;
  /**
   * Whether the options name `clientAuthentication`. Otherwise the metadata may replace Basic by `client_secret_post`.
   */
  readonly isAuthenticationGiven: boolean;
  readonly clientAssertion: Required<ClientAssertionOptions>;
  readonly scopes: readonly string[];
  readonly scopeSeparator: ' ' | ',';
  readonly scopeParameter: string;
  readonly authorizationParams: Readonly<Record<string, string>>;
  readonly resource: readonly string[];
  readonly responseMode: 'query' | 'form_post';
  readonly nonce: 'required' | 'off';
  readonly idTokenAudiences: readonly string[];
  readonly clockToleranceSeconds: number;
  readonly tokenTypes: readonly string[];
  readonly tokenFields: readonly string[];
  readonly callbackFields: readonly string[];
  readonly userInfoRequest: UserInfoRequest & Required<Pick<UserInfoRequest, 'method' | 'headers'>>;
  /** As {@link URL.origin} writes them. */
  readonly apiOrigins: readonly string[];
  readonly revocation: RevocationScope;
}

const CLOCK_TOLERANCE_SECONDS = 60;

/**
 * Checks provider options.
 * @param place where they are, for the message
 * @throws SessionError `configuration`, naming what is wrong
 */
export function providerSettings(options: ProviderOptions, place?: string): ProviderSettings {
  const subject = place === undefined ? 'The provider options' : `The provider options of ${place}`;
  parseOptions(optionRules, options, `${subject} are invalid`);
  const name = options.name ?? new URL(options.issuer).host;
  return {
    ...options,
    name,
    displayName: options.displayName ?? name,
    clientAuthentication: clientAuthenticationOf(options),
    isAuthenticationGiven: options.clientAuthentication !== undefined,
    clientAssertion: { audience: 'issuer', header: {}, ...omitUndefined(options.clientAssertion ?? {}) },
    scopes: options.scopes ?? ['openid'],
    scopeSeparator: options.scopeSeparator ?? ' ',
    scopeParameter: options.scopeParameter ?? 'scope',
    authorizationParams: options.authorizationParams ?? {},
    resource: [options.resource ?? []].flat(),
    responseMode: options.responseMode ?? 'query',
    nonce: options.nonce ?? 'required',
    idTokenAudiences: options.idTokenAudiences ?? [],
    clockToleranceSeconds: options.clockToleranceSeconds ?? CLOCK_TOLERANCE_SECONDS,
    tokenTypes: options.tokenTypes ?? ['Bearer'],
    tokenFields: options.tokenFields ?? [],
    callbackFields: options.callbackFields ?? [],
    userInfoRequest: { method: 'GET', headers: {}, ...omitUndefined(options.userInfoRequest ?? {}) },
    apiOrigins: (options.apiOrigins ?? []).map((origin) => new URL(origin).origin),
    revocation: options.revocation ?? 'token',
  };
}
