import { sharedLoad } from '../time/promises.js';
import type { DeviceFlow } from './option-types.js';
import type { ProviderRequests, ProviderRuntime } from './provider-requests.js';
import type { ProviderSettings } from './provider-settings.js';

/** The parameters of an authorization response that this server reads. */
const RESPONSE_FIELDS = ['code', 'state', 'iss', 'error', 'error_description', 'scope'];

/**
 * One upstream authorization server. The first request loads the modules that send it, with openid-client: a start
 * needs none of them.
 */
export class Provider {
  readonly #settings: ProviderSettings;
  readonly #runtime: ProviderRuntime;

  constructor(settings: ProviderSettings, runtime: ProviderRuntime) {
    this.#settings = settings;
    this.#runtime = runtime;
  }

  get name(): string {
    return this.#settings.name;
  }

  /** The provider's name on the pages of a login. */
  get displayName(): string {
    return this.#settings.displayName;
  }

  get issuer(): string {
    return this.#settings.issuer;
  }

  /** The host at which users log in, as configured; discovery may name another. */
  get host(): string {
    const { endpoints, issuer } = this.#settings;
    return new URL(endpoints?.authorization ?? issuer).host;
  }

  get scopes(): readonly string[] {
    return this.#settings.scopes;
  }

  /**
   * The fields of authorization responses that the provider sends as a form (OAuth 2.0 Form Post Response Mode); absent
   * if it sends them as a query.
   */
  get formFields(): readonly string[] | undefined {
    const { responseMode, callbackFields } = this.#settings;
    return responseMode === 'form_post' ? [...RESPONSE_FIELDS, ...callbackFields] : undefined;
  }

  /** Whether users may or must log in with the device flow; absent: they cannot. */
  get deviceFlow(): DeviceFlow | undefined {
    return this.#settings.deviceFlow;
  }

  readonly prepare: ProviderRequests['prepare'] = async () => (await this.#loaded()).prepare();

  readonly logoutTokenIssuer: ProviderRequests['logoutTokenIssuer'] = async () =>
    (await this.#loaded()).logoutTokenIssuer();

  readonly requestKeys: ProviderRequests['requestKeys'] = async () => (await this.#loaded()).requestKeys();

  readonly authorizationUrl: ProviderRequests['authorizationUrl'] = async (...request) =>
    (await this.#loaded()).authorizationUrl(...request);

  readonly exchange: ProviderRequests['exchange'] = async (...request) =>
    (await this.#loaded()).exchange(...request);

  readonly authorizeDevice: ProviderRequests['authorizeDevice'] = async (...request) =>
    (await this.#loaded()).authorizeDevice(...request);

  readonly pollDevice: ProviderRequests['pollDevice'] = async (...request) =>
    (await this.#loaded()).pollDevice(...request);

  readonly refresh: ProviderRequests['refresh'] = async (...request) =>
    (await this.#loaded()).refresh(...request);

  readonly revoke: ProviderRequests['revoke'] = async (tokens) => (await this.#loaded()).revoke(tokens);

  readonly revokeUnused: ProviderRequests['revokeUnused'] = async (tokens) =>
    (await this.#loaded()).revokeUnused(tokens);

  readonly discard: ProviderRequests['discard'] = async (tokens) => (await this.#loaded()).discard(tokens);

  readonly #loaded = sharedLoad(async () => {
    const { ProviderRequests } = await importRequests();
    return new ProviderRequests(this.#settings, this.#runtime);
  });
}

const importRequests = () => import('./provider-requests.js');

/** Load what requests to providers need, in parts that take little time each. */
export const providerModules: readonly (() => Promise<unknown>)[] = [
  () => import('openid-client'),
  importRequests,
  () => import('./authorization-server.js'),
];
