import type { Provider } from '../provider/provider.js';

/** Where a user logs in. */
export interface LoginPlace {
  /** What people see of it. */
  readonly name: string;
  /** The host that the browser goes to. */
  readonly host: string;
}

/** The place that a provider is. */
export function placeAt({ displayName, host }: Pick<Provider, 'displayName' | 'host'>): LoginPlace {
  return { name: displayName, host };
}
