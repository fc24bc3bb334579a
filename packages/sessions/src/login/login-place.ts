import type { Provider } from '../provider/provider.js';

/** Where a user logs in: what it is called here, and the host that the browser goes to. */
export type LoginPlace = Pick<Provider, 'name' | 'host'>;
