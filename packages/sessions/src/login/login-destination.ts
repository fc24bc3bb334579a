import type { Provider } from '../provider/provider.js';

/** A provider or authorization server on the pages of a login. */
export interface LoginDestination {
  /** Its name on the pages of a login. */
  readonly name: string;
  /** The host that the browser is redirected to. */
  readonly host: string;
}

/** Name and host of a provider. */
export function placeAt({ displayName, host }: Pick<Provider, 'displayName' | 'host'>): LoginDestination {
  return { name: displayName, host };
}
