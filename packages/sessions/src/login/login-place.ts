import type { Provider } from '../provider/provider.js';

/** Where a user logs in. */
export interface LoginPlace {
  /** Its name on the pages of a login. */
  readonly name: string;
  /** The host that the browser goes to. */
  readonly host: string;
}

/** Name and host of a provider. */
export function placeAt({ displayName, host }: Pick<Provider, 'displayName' | 'host'>): LoginPlace {
  return { name: displayName, host };
}
